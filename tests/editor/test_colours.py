"""Colours: the Pygments lexer and the TextMate grammar know every word of the language."""

import json
import re

from lark import Lark
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Error, Keyword, Name, Number, Token

from specc.editor.lexer import SpecLexer
from specc.units import UNITS
from tests.conftest import ROOT
from tests.syntax.test_parser import LANGUAGE

TEXTMATE = ROOT / "grammar" / "vscode" / "syntaxes" / "specc.tmLanguage.json"


def _keywords() -> set[str]:
    grammar = (ROOT / "grammar" / "spec.lark").read_text(encoding="utf-8")
    lark = Lark(grammar, parser="lalr", lexer="basic")
    patterns = [t.pattern.value for t in lark.terminals if t.pattern.type == "str"]
    return {p for p in patterns if p.isalpha()}


def test_the_lexer_is_registered() -> None:
    assert isinstance(get_lexer_by_name("specc"), SpecLexer)
    assert isinstance(get_lexer_for_filename("plan.spec"), SpecLexer)


def test_the_lexer_loses_no_text_and_finds_no_error() -> None:
    for path in [*ROOT.glob("specs/**/*.spec")]:
        text = path.read_text(encoding="utf-8")
        tokens = list(SpecLexer().get_tokens(text))
        assert "".join(value for _, value in tokens) == text
        assert all(kind is not Error for kind, _ in tokens)


def test_what_is_coloured_how() -> None:
    text = "## doc\nlet n = 8Ki tok\nworkload chat { slo { tpot <= 50 ms } }  # why\n"
    kinds = {value: kind for kind, value in SpecLexer().get_tokens(text)}
    assert kinds["let"] is Keyword
    assert kinds["8Ki"] is Number
    assert kinds["tok"] is Keyword.Type
    assert kinds["workload"] is Keyword.Declaration
    assert kinds["chat"] is Name.Class
    assert kinds["tpot"] is Name.Attribute
    assert kinds["## doc"] is Comment.Special
    assert kinds["# why"] is Comment.Single
    for word in _keywords():
        (kind, _), *_ = SpecLexer().get_tokens(f"{word} ")
        assert kind in Keyword or kind in Token.Operator.Word, word


def test_the_textmate_grammar_is_sound_and_complete() -> None:
    grammar = json.loads(TEXTMATE.read_text(encoding="utf-8"))
    assert grammar["scopeName"] == "source.specc"
    names = set(grammar["repository"])
    assert {p["include"].lstrip("#") for p in grammar["patterns"]} <= names
    rules = [rule for entry in grammar["repository"].values() for rule in entry["patterns"]]
    patterns = [re.compile(rule[key]) for rule in rules for key in ("match",) if key in rule]
    for word in _keywords():
        assert any(p.fullmatch(word) for p in patterns), word
    units = [re.compile(rule["match"]) for rule in grammar["repository"]["numbers"]["patterns"]]
    for unit in UNITS:
        assert any(p.fullmatch(f"8 {unit}") for p in units), unit
    assert len(LANGUAGE) > 0


def test_the_extension_names_what_it_ships() -> None:
    folder = ROOT / "grammar" / "vscode"
    package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    contributed = package["contributes"]
    for language in contributed["languages"]:
        assert language["extensions"] == [".spec"]
        assert (folder / language["configuration"]).is_file()
    for grammar in contributed["grammars"]:
        assert (folder / grammar["path"]).is_file()
    assert (folder / package["main"]).is_file()
