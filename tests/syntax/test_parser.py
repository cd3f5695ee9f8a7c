"""The parser: the whole language in one file, recovery, and robustness."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lark import Lark

from specc.diagnostics import Source
from specc.diagnostics.render import render_terminal
from specc.syntax import Block, File, Let, parse
from tests.conftest import ROOT

LANGUAGE = Path(__file__).with_name("language.spec").read_text(encoding="utf-8")


def _parse(text: str) -> tuple[File, list[str]]:
    tree, diagnostics = parse(Source("x.spec", text))
    return tree, [d.code for d in diagnostics]


def test_every_construct_parses(snapshot) -> None:
    tree, codes = _parse(LANGUAGE)
    assert codes == []
    assert [_outline(statement) for statement in tree.statements] == snapshot


def _outline(node: object) -> object:
    """A block as its header and body; any other statement as its representation."""
    if isinstance(node, Block):
        name = node.name.text if node.name else ""
        base = f" extends {node.base.text}" if node.base else ""
        doc = f"  ## {node.doc}" if node.doc else ""
        header = f"{node.kind.text} {name}{base}{doc}"
        return {header: [_outline(statement) for statement in node.body]}
    return repr(node)


def test_the_grammar_has_no_collisions(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("interegular")
    monkeypatch.setattr("lark.lexer.has_interegular", True)
    grammar = (ROOT / "grammar" / "spec.lark").read_text(encoding="utf-8")
    Lark(grammar, parser="lalr", lexer="basic", strict=True)


def test_spans_cover_the_text_of_their_node() -> None:
    tree, _ = _parse("let n = 8 * (nodes + 1)\nworkload chat { input = 3500 tok }")
    let, block = tree.statements
    assert isinstance(let, Let)
    assert isinstance(block, Block)
    assert let.span.text == "let n = 8 * (nodes + 1"  # a group is its expression
    assert let.value.span.text == "8 * (nodes + 1"
    assert block.span.text == "workload chat { input = 3500 tok }"
    assert block.body[0].span.text == "input = 3500 tok"
    assert (block.span.line, block.span.column) == (2, 1)


def test_precedence_is_that_of_arithmetic() -> None:
    for text, wanted in (
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("-2 * 3", "(-2) * 3"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("not a == b and c or d", "((not (a == b)) and c) or d"),
        ("1 + 1 .. 2 * 8 by *2", "(1 + 1) .. (2 * 8) by *2"),
    ):
        left, codes = _parse(f"let x = {text}")
        right, _ = _parse(f"let x = {wanted}")
        assert codes == []
        assert left == right


@pytest.mark.parametrize("name", ["in", "by", "zip", "extends", "as", "use"])
def test_words_of_the_language_can_be_names_where_they_fit(name: str) -> None:
    tree, codes = _parse(f"let {name} = 3")
    assert codes == []
    assert tree.statements[0].name.text == name


@pytest.mark.parametrize(
    "case", sorted(Path(__file__).parent.glob("wrong/*.spec")), ids=lambda p: p.stem
)
def test_messages_of_syntax_errors(case: Path, snapshot) -> None:
    tree, diagnostics = parse(Source(case.name, case.read_text(encoding="utf-8")))
    kept = [getattr(s, "name", None) for s in tree.statements]
    names = [name.text for name in kept if name is not None]
    assert f"{render_terminal(diagnostics, color=False)}\nkept: {', '.join(names)}" == snapshot


def test_deep_nesting_is_refused_quickly() -> None:
    for bracket in ("(", "[", "a {"):
        _, codes = _parse("let x = " * (bracket != "a {") + bracket * 10_000)
        assert codes == ["E0103"]


def test_an_error_in_each_of_many_lines_ends() -> None:
    _, codes = _parse("x = = 1\n" * 5000)
    assert 1 < len(codes) <= 50


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_parsed_or_diagnosed(text: str) -> None:
    tree, codes = _parse(text)
    assert isinstance(tree, File)
    assert all(code.startswith("E01") for code in codes)


def test_any_damage_to_a_spec_is_parsed_or_diagnosed() -> None:
    generator = random.Random(7)
    tokens = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "=",
        "|",
        '"',
        "..",
        "by",
        "\n",
        ";",
        "use",
        "8 Ki",
        "#",
    ]
    for _ in range(600):
        text = LANGUAGE
        for _ in range(generator.randint(1, 4)):
            start = generator.randrange(len(text))
            end = start + generator.randint(0, 12)
            text = text[:start] + generator.choice([*tokens, ""]) + text[end:]
        tree, _ = _parse(text)
        assert isinstance(tree, File)
