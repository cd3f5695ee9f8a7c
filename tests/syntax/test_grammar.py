"""The tables are those of lark: its own parser makes the same of every text."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lark import Lark
from lark.lark import PostLex

from specc.diagnostics import Source
from specc.syntax import parse
from specc.syntax.automaton import Token
from specc.syntax.builder import TreeBuilder
from specc.syntax.comments import attach_documentation
from specc.syntax.grammar import made
from specc.syntax.parser import LineEnds
from tests.conftest import ROOT

GRAMMAR = (ROOT / "grammar" / "spec.lark").read_text(encoding="utf-8")
SPECS = sorted([*ROOT.glob("specs/**/*.spec"), ROOT / "tests" / "syntax" / "language.spec"])


class LarkToken(Token):
    """A token of ours, of which lark takes the places for granted."""

    line = column = end_line = end_column = end_pos = 0


class LarkLineEnds(PostLex):
    """The filter as lark takes it; the builder knows our own tokens."""

    always_accept = ("STRAY",)

    def process(self, stream):
        return LineEnds().process(LarkToken(t.type, t, t.start_pos) for t in stream)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_lark_makes_the_same_tree(path: Path) -> None:
    source = Source(path.name, path.read_text(encoding="utf-8"))
    lark = Lark(
        GRAMMAR,
        parser="lalr",
        lexer="basic",
        transformer=TreeBuilder(source),
        postlex=LarkLineEnds(),
    )
    tree, diagnostics = parse(source)
    assert diagnostics == []
    assert tree.statements == attach_documentation(source, lark.parse(source.text))


def test_tables_are_the_same_each_time() -> None:
    code = "import sys; from specc.syntax.grammar import made; import json\n"
    code += "print(json.dumps(made(sys.stdin.read())))"
    for seed in "12":
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=GRAMMAR,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            encoding="utf-8",
            check=True,
            cwd=ROOT,
        )
        assert json.loads(done.stdout) == made(GRAMMAR)
