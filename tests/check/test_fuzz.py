"""Nothing that anybody can write gives a traceback, takes long, or takes much memory."""

import random
import resource
import time
from pathlib import Path

import pytest

from specc.check import check
from specc.check.problems import MOST_PROBLEMS
from specc.diagnostics import Source
from specc.diagnostics.render import render_terminal
from specc.diagnostics.rules import RULES
from specc.syntax import parse
from specc.syntax.formatter import format_source
from specc.workspace import Workspace
from tests.conftest import ROOT
from tests.syntax.test_parser import LANGUAGE

CHAT = (ROOT / "specs" / "qwen3-32b-chat.spec").read_text(encoding="utf-8")
SOURCES = [
    LANGUAGE,
    CHAT,
    *filter(None, (p.read_text() for p in sorted((ROOT / "tests/check/wrong").glob("*.spec")))),
]
WORDS = [
    "\n",
    "",
    "",
    "",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "=",
    "==",
    "<=",
    ">=",
    "<",
    ">",
    "|",
    "..",
    ".",
    ",",
    ";",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    '"',
    "#",
    "##",
    "\\",
    "@",
    "&",
    "!",
    "?",
    "'",
    "\n",
    "\t\n",
    "",
    "",
    "",
    "use",
    "let",
    "in",
    "by",
    "as",
    "and",
    "or",
    "not",
    "zip",
    "else",
    "extends",
    "sweep",
    "assert",
    "expect",
    "true",
    "false",
    "auto\n",
    "",
    "",
    "",
    "std",
    "std.devices",
    "workload",
    "deployment",
    "model",
    "device",
    "study",
    "slo",
    "engine",
    "parallel",
    "search",
    "requests\n",
    "",
    "",
    "",
    "input",
    "output",
    "tp",
    "dp",
    "pp",
    "ttft",
    "tpot",
    "0",
    "1",
    "-1",
    "8Ki",
    "1e400",
    "1e-400",
    "9999999999999999999999",
    "1.5",
    "50%",
    "200%\n",
    "",
    "",
    "",
    "3",
    "ms",
    "tok",
    "GiB",
    "TiB/s",
    "tok/s",
    "1/0",
    "NaN",
    "inf",
    "重",
    "😀",
    "\u202e",
    "\x00",
    "qwen3_32b",
    "test_device",
    "best.throughput\n",
]
# A guard against hangs and quadratic times; what is right takes a tenth of it on a slow machine.
LONGEST_S = 30.0


def _survives(text: str, folder: Path) -> None:
    path = folder / "plan.spec"
    path.write_text(text, encoding="utf-8")
    start = time.process_time()
    _, diagnostics = check(Workspace(folder), path)
    shown = render_terminal(diagnostics, color=False)
    assert time.process_time() - start < LONGEST_S, text[:2000]
    assert {d.code for d in diagnostics} <= set(RULES)
    assert all(f"[{d.code}]" in shown for d in diagnostics)
    source = Source("plan.spec", text)
    if "\0" not in text and not parse(source)[1]:
        format_source(source)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_specs(seed: int, tmp_path: Path) -> None:
    """Words and pieces of other specs are put in, taken out and doubled, 50 specs a seed."""
    generator = random.Random(seed)
    for _ in range(50):
        text = generator.choice(SOURCES)
        for _ in range(generator.randint(1, 6)):
            place = generator.randrange(len(text) + 1)
            match generator.randrange(4):
                case 0:
                    text = text[:place] + f" {generator.choice(WORDS)} " + text[place:]
                case 1:
                    text = text[:place] + text[place + generator.randint(1, 40) :]
                case 2:
                    other = generator.choice(SOURCES)
                    start = generator.randrange(len(other))
                    text = text[:place] + other[start : start + 60] + text[place:]
                case _:
                    text = text[:place] + text[max(0, place - 30) : place] + text[place:]
        _survives(text, tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_salads_of_words(seed: int, tmp_path: Path) -> None:
    generator = random.Random(100 + seed)
    for _ in range(120):
        words = generator.choices(WORDS, k=generator.randint(1, 60))
        _survives(" ".join(words), tmp_path)


HUGE = {
    "brackets": "let a = " + "[" * 10_000,
    "braces": "a { " * 10_000,
    "closing": "}" * 10_000,
    "long line": "let a = " + "1 + " * 20_000 + "1",
    "long name": "workload " + "a" * 200_000 + " { }",
    "long text": 'let a = "' + "x" * 500_000 + '"',
    "open text": 'let a = "' + "x" * 200_000,
    "digits": "let a = " + "9" * 100_000,
    "digits of a token": "workload w { input = " + "9" * 4400 + " tok; output = 1 tok }",
    "comments": "# x\n" * 20_000,
    "semicolons": ";" * 100_000,
    "lets": "\n".join(f"let a{i} = {i}" for i in range(5_000)),
    "list": "let a = [" + ", ".join(["1"] * 10_000) + "]",
    "path": "let a = " + ".".join(["b"] * 20_000),
    "table": "w { " + "| 1 " * 10_000 + "| }",
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_things(name: str, tmp_path: Path) -> None:
    _survives(HUGE[name], tmp_path)


def test_many_fields(tmp_path: Path) -> None:
    """Memory stays in proportion, 5 KB a field, and problems are not repeated without end."""
    count = 40_000
    text = "workload w {\n" + "".join(f"  f{i} = {i}\n" for i in range(count)) + "}\n"
    path = tmp_path / "plan.spec"
    path.write_text(text)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    _, diagnostics = check(Workspace(tmp_path), path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert [d.code for d in diagnostics[-2:]] == ["E0202", "W0006"]
    assert len(diagnostics) == MOST_PROBLEMS + 1
    assert after - before < 5_000 * count


@pytest.mark.parametrize(
    "value",
    ["1e400 tok", "-1 tok", "0 tok", "1e308 tok", "0.0001 tok", "1e-400 tok", "NaN", "inf tok",
     "1 tok/s", "1 parsec", "1e18 tok", "(1 - 2) * 1 tok", "1 tok * 1e300", "-(-3 tok)"],
)  # fmt: skip
def test_absurd_numbers(value: str, tmp_path: Path) -> None:
    _survives(f"workload w {{ input = {value}; output = 1 tok }}", tmp_path)


def test_a_problem_of_every_variant_stops_every_variant(checked) -> None:
    """It is told once; the second variant must not pass for a clean one."""
    document, found = checked(
        "use std.devices\nuse std.models\nworkload w { output = 1 tok }\n"
        "deployment d { model = qwen3_8b; device = h100; devices = 1 }\n"
        "study s { workload = w; deployments = d; sweep d.devices in [1, 2] }"
    )
    assert document is None
    assert [d.code for d in found] == ["E0401"]
