"""Lark's parser: its tables take 300 ms to build, and a few to load from the cache."""

import sys
from typing import Any

import lark
from lark import Lark, Transformer
from lark.grammar import Rule
from lark.lark import PostLex
from lark.lexer import TerminalDef

from specc import cache, resources
from specc._version import __version__
from specc.reading import read_bytes

LARGEST_GRAMMAR_BYTES = 2**20


def parser_of(builder: "Transformer[Any, Any]", filter_: PostLex) -> Lark:
    """Return the parser, which calls the builder for what it reads, and the filter."""
    path = resources.folder("grammar") / "spec.lark"
    grammar = read_bytes(path, LARGEST_GRAMMAR_BYTES).decode()
    kept = cache.entry("grammar", __version__, lark.__version__, sys.version, grammar)
    data = kept.load()
    if data is not None:
        try:
            return _unpacked(data, transformer=builder, postlex=filter_)
        except Exception:
            pass  # tables of another form may fail in any way
    made = Lark(grammar, parser="lalr", lexer="basic", transformer=builder, postlex=filter_)
    kept.save(_packed(made))
    return made


def _packed(parser: Lark) -> dict[str, Any]:
    """Return the tables of a parser as JSON has them: with no key that is a number."""
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    table = data["parser"]["parser"]
    states = [
        [state, [[token, *action] for token, action in actions.items()]]
        for state, actions in table["states"].items()
    ]
    options = {"parser": "lalr", "lexer": "basic", "start": data["options"]["start"]}
    packed = {**table, "tokens": list(table["tokens"].items()), "states": states}
    frontend = {**data["parser"], "parser": packed}
    return {
        "memo": list(memo.items()),
        "data": {**data, "parser": frontend, "options": options},
    }


def _unpacked(packed: dict[str, Any], **options: Any) -> Lark:
    data, table = packed["data"], packed["data"]["parser"]["parser"]
    table["tokens"] = dict(table["tokens"])
    table["states"] = {
        state: {token: (kind, argument) for token, kind, argument in actions}
        for state, actions in table["states"]
    }
    found: Lark = Lark._load_from_dict(data, dict(packed["memo"]), **options)
    return found
