"""The formatter: one layout, the same meaning, and idempotent on anything that parses."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.diagnostics import Source
from specc.syntax import parse
from specc.syntax.formatter import format_source
from tests.conftest import ROOT
from tests.syntax.test_parser import LANGUAGE

UGLY = """

use   std.devices ;
# a comment

#    another

let a=1 ;let b  =  -  2
workload   chat{


    input=3500tok#prompt
    prefix_hit   =   30 %
    # about the limits
    slo{ttft<=2s;tpot   <=50 ms;}

    requests{
    |share|input|prefix hit|
       |50%|1..2Ki| 60 %|
    |  50% | 2Ki  ..32Ki |0%|   # long ones
    }


}
deployment   d   extends   common . base{parallel{tp=1..8 by  * 2};engine . decode_batch=64
names=[
"a",
    "b",   # the second
]
}
"""

PRETTY = """\
use std.devices
# a comment

#    another

let a = 1; let b = -2
workload chat {
    input      = 3500 tok  #prompt
    prefix_hit = 30%
    # about the limits
    slo { ttft <= 2 s; tpot <= 50 ms }

    requests {
        | share | input       | prefix hit |
        | 50%   | 1 .. 2Ki    | 60%        |
        | 50%   | 2Ki .. 32Ki | 0%         |  # long ones
    }
}
deployment d extends common.base { parallel { tp = 1 .. 8 by *2 }; engine.decode_batch = 64
    names = [
        "a",
        "b",  # the second
    ]
}
"""


def _format(text: str) -> str:
    return format_source(Source("x.spec", text))


def test_one_layout() -> None:
    assert _format(UGLY) == PRETTY


@pytest.mark.parametrize("path", sorted(ROOT.glob("specs/**/*.spec")), ids=lambda p: p.name)
def test_our_own_specs_are_formatted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert _format(text) == text


def test_nothing_but_white_space() -> None:
    assert _format("") == ""
    assert _format("\n\n \n") == ""


def test_meaning_is_kept_whatever_the_white_space() -> None:
    """Spread or squeeze the white space of the whole language: tree and layout stay the same."""
    generator = random.Random(11)
    wanted, _ = parse(Source("x", LANGUAGE))
    pretty = _format(LANGUAGE)
    for _ in range(40):
        lines = []
        for line in LANGUAGE.splitlines():
            spread = "".join(" " * generator.randint(1, 4) if c == " " else c for c in line)
            spread = line if '"' in line or "#" in line else spread
            # A comment stays above what it documents; other lines move apart.
            lines.append(spread + "\n" * (1 if line.startswith("#") else generator.randint(1, 3)))
        text = "".join(lines)
        formatted = _format(text)
        tree, diagnostics = parse(Source("x", formatted))
        assert diagnostics == []
        assert tree.statements == wanted.statements
        # Blank lines part what is aligned together, so columns may differ, words may not.
        assert formatted.split() == pretty.split()


NAMES = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True).filter(
    lambda n: n not in {"use", "let", "in", "by", "as", "and", "or", "not", "zip", "else", "true",
                        "false", "sweep", "assert", "expect", "extends", "if"}
)  # fmt: skip
ATOMS = st.one_of(
    NAMES,
    st.integers(0, 10**6).map(str),
    st.sampled_from(["8Ki tok", "50%", "1.5e3 ms", "1.6 TiB/s", '"text # no comment"', "true"]),
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]}{t[2]})"),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        inner.map(lambda e: f"- {e}"),
        st.tuples(NAMES, inner).map(lambda t: f"{t[0]} ( a={t[1]} )"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}..{t[1]} by *2)"),
    ),
    max_leaves=6,
)
FIELDS = st.tuples(NAMES, EXPRESSIONS, st.sampled_from(["\n", ";", " # why\n", "\n\n\n"])).map(
    lambda t: f"{t[0]}={t[1]}{t[2]}"
)
BLOCKS = st.recursive(
    FIELDS,
    lambda inner: st.tuples(NAMES, st.lists(inner, max_size=4)).map(
        lambda t: f"{t[0]} {{{''.join(t[1])}\n}}\n"
    ),
    max_leaves=12,
)


@given(st.lists(BLOCKS, max_size=4).map("".join))
def test_any_spec_keeps_its_tree(text: str) -> None:
    before, diagnostics = parse(Source("x", text))
    if diagnostics:
        return
    after, diagnostics = parse(Source("x", _format(text)))
    assert diagnostics == []
    assert after.statements == before.statements


def test_a_row_stays_one_line_whatever_its_cells_hold() -> None:
    text = "requests a {\n| share | input |\n| 5% | (1 +\n 2) |\n}\n"
    assert "    | 5%    | (1 + 2) |\n" in _format(text)


def test_rows_have_lines_of_their_own() -> None:
    text = "workload w { requests { | share | input |\n | 1 | 10 | } }\n"
    wanted = """workload w { requests {
        | share | input |
        | 1     | 10    |
    } }
"""
    assert format_source(Source("a.spec", text)) == wanted
