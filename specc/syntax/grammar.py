"""The tables of the parser: lark makes them from the grammar, and they are plain data.

Making them takes 300 ms. A wheel holds them ready-made, and a checkout keeps them in the user's
cache, so that lark itself is imported only where the grammar is new.
"""

import re
from functools import cache
from typing import Any, NamedTuple

from specc import cache as kept
from specc import resources
from specc._version import __version__
from specc.reading import read_bytes

LARGEST_GRAMMAR_BYTES = 2**20

END = "$END"  # the type of the token after the last


class Production(NamedTuple):
    """What is done when the parser has read the whole of a rule.

    Attributes:
        origin: what the rule makes, by its name in the grammar.
        size: how many symbols it consists of.
        builds: the method that builds its node; none if its symbols belong to the rule above it.
        single: whether a lone symbol stands for itself.
        symbols: what the method is given: symbol n, for ~n the symbols of symbol n, or None.
    """

    origin: str
    size: int
    builds: str
    single: bool
    symbols: tuple[int | None, ...]


class Tables(NamedTuple):
    """What the grammar comes to.

    Attributes:
        pattern: matches one token, in the group that is named after its type.
        words: of a type, the texts that have a type of their own.
        ignored: types that the parser does not see.
        rules: by their numbers.
        states: for each, by the next token or node: the state to go to, or ~r to apply rule r.
    """

    pattern: re.Pattern[str]
    words: dict[str, dict[str, str]]
    ignored: frozenset[str]
    rules: tuple[Production, ...]
    states: list[dict[str, int]]


@cache
def tables() -> Tables:
    """Return the tables of this grammar; the first state is that of an empty text."""
    path = resources.folder("grammar") / "spec.lark"
    grammar = read_bytes(path, LARGEST_GRAMMAR_BYTES).decode()
    entry = kept.entry("grammar", __version__, grammar)
    data = entry.load()
    if data is not None:
        try:
            return _unpacked(data)
        except Exception:
            pass  # tables of another form may fail in any way
    data = made(grammar)
    entry.save(data)
    return _unpacked(data)


def _unpacked(data: dict[str, Any]) -> Tables:
    return Tables(
        re.compile(data["pattern"]),
        {str(kind): dict(texts) for kind, texts in data["words"].items()},
        frozenset(data["ignored"]),
        tuple(
            [
                Production(origin, size, builds, single, tuple(symbols))
                for origin, size, builds, single, symbols in data["rules"]
            ]
        ),
        [dict(state) for state in data["states"]],
    )


def made(grammar: str) -> dict[str, Any]:
    """Return the tables of a grammar as JSON has them; the same bytes each time."""
    from lark import Lark
    from lark.lark import PostLex
    from lark.parsers.lalr_analysis import Shift

    class Keeps(PostLex):
        """Keeps the terminal of which the rules know nothing."""

        always_accept = ("STRAY",)

        def process(self, stream: Any) -> Any:
            return stream

    lark = Lark(grammar, parser="lalr", lexer="basic", postlex=Keeps())
    table = lark.parser.parser._parse_table
    rules = sorted(lark.rules, key=str)
    numbers = {rule: number for number, rule in enumerate(rules)}
    start, end = table.start_states["start"], table.end_states["start"]
    order = [start]
    for state in order:  # which grows
        goals = [arg for _, (action, arg) in sorted(table.states[state].items()) if action is Shift]
        order += [goal for goal in dict.fromkeys(goals) if goal not in order]
    places = {state: place for place, state in enumerate(order)}
    states = [
        {
            symbol: places[arg] if action is Shift else ~numbers[arg]
            for symbol, (action, arg) in sorted(table.states[state].items())
        }
        for state in order
    ]
    states[places[end]][END] = places[end]
    return {**_lexed(lark), "rules": [_ruled(rule) for rule in rules], "states": states}


def _lexed(lark: Any) -> dict[str, Any]:
    """Return what splits a text into tokens: terminals of one text are words of another."""
    scanner = lark.parser.lexer.lexer.scanner
    (pattern,) = scanner._mres
    texts = {t.pattern.value: t.name for t in lark.terminals if t.name not in scanner.allowed_types}
    words: dict[str, dict[str, str]] = {}
    for text, name in sorted(texts.items()):
        words.setdefault(pattern.match(text).lastgroup, {})[text] = name
    return {"pattern": pattern.pattern, "words": words, "ignored": sorted(lark.ignore_tokens)}


def _ruled(rule: Any) -> list[Any]:
    """Return a rule as `Production` has it: without punctuation, with None for what is not there.

    A rule whose name begins with `_` builds nothing.
    """
    symbols: list[int | None] = []
    place = 0
    for is_empty in rule.options.empty_indices or [False] * len(rule.expansion):
        if is_empty:
            symbols.append(None)
            continue
        symbol = rule.expansion[place]
        if not symbol.is_term:
            symbols.append(~place if symbol.name.startswith("_") else place)
        elif not symbol.filter_out:
            symbols.append(place)
        place += 1
    origin = str(rule.origin.name)
    builds = str(rule.alias or origin)
    is_inner = builds.startswith("_")
    single = bool(rule.options.expand1 and not rule.alias)
    return [origin, len(rule.expansion), "" if is_inner else builds, single, symbols]
