"""Nothing of an input moves a terminal's cursor, turns its text round, or hides in a report."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from specc.diagnostics import visible, visible_json, visible_line
from specc.diagnostics.visible import LONGEST, message
from tests.conftest import ROOT

# Escape, a C1 control, right-to-left override, isolate, zero width, line separator, tag.
HOSTILE = "\x1b[31m\x9b2J\u202e\u2066\u200b\u2028\ufeff\U000e0041"
RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0041]"
)

SPEC = f"""\
use std.devices
use std.models
## A note {HOSTILE}
workload chat {{ input = 3500 tok; output = 1500 tok; slo {{ tpot <= 50 ms }} }}
deployment eight {{
    model = qwen3_32b; quant = w8a8_dynamic; device = test_device; devices = 8
    parallel {{ tp = [1, 2, 4, 8] }}
}}
## A question {HOSTILE}
study layouts {{
    workload = chat; deployments = [eight]
    sweep chat.output in [1000 tok, 1500 tok]
    expect best.ttft <= 1 ms else "agreed {HOSTILE}"
}}
"""


@pytest.fixture
def specc(tmp_path: Path):
    """Run specc in a folder with the spec; returns its code and all it printed."""
    (tmp_path / "plan.spec").write_text(SPEC)

    def run(*arguments: str | bytes) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "specc", *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return done.returncode, done.stdout.decode()

    return run


def test_a_run_and_all_its_files(specc, tmp_path: Path) -> None:
    code, text = specc("run", "plan.spec")
    assert code == 1
    assert not RAW.search(text)
    assert "\\x1b[31m\\x9b2J\\u202e" in text
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".spec"]
    assert {path.suffix for path in written} == {".md", ".html", ".json", ".svg"}
    for path in written:
        assert not RAW.search(path.read_text(encoding="utf-8")), path
    result = json.loads((tmp_path / "plan.result.json").read_text())
    assert result["studies"][0]["study"]["doc"] == f"A question {HOSTILE}"
    assert specc("run", "plan.spec", "--check")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", HOSTILE], 2),
        (["run", "x\n\x1b]0;title\x07.spec"], 2),
        (["run", "plan.spec", "--out", f"plan.spec/{HOSTILE}"], 2),
        (["run", "plan.spec", "--csv", f"none/\x00{HOSTILE}".replace("\x00", "")], 2),
        (["check", "plan.spec", "--set", HOSTILE], 2),
        (["check", "plan.spec", "--set", f"chat.input={HOSTILE}"], 2),
        (["check", "plan.spec", "--set", f'chat.input="{HOSTILE}"'], 2),
        (["check", "plan.spec", "--set", HOSTILE, "--format", "json"], 2),
        (["check", "plan.spec", "--set", HOSTILE, "--format", "sarif"], 2),
        (["check", "plan.spec", "--emit", "tree"], 0),
        (["check", "plan.spec", "--emit", "ir"], 0),
        (["plan", "plan.spec"], 0),
        (["show", "ops", "plan.spec", "--study", HOSTILE], 2),
        (["show", "model", HOSTILE], 2),
        (["simulate", "plan.spec", "--study", HOSTILE], 2),
        (["explain", HOSTILE], 2),
        (["explain", "E0302", HOSTILE], 2),
        ([HOSTILE], 2),
        (["run", f"--{HOSTILE}"], 2),
        (["validate", "ops", HOSTILE, "--device", HOSTILE], 2),
        (["fmt", HOSTILE], 2),
        (["init", f"x{HOSTILE}.spec"], 0),
        ([b"run", b"\xff\x1b\xfe.spec"], 2),
        ([b"check", b"plan.spec", b"--set", b"chat.input=\xff"], 2),
        ([b"\xff"], 2),
    ],
)
def test_what_is_printed(specc, arguments: list[str | bytes], code: int) -> None:
    found, text = specc(*arguments)
    assert found == code
    assert not RAW.search(text)
    assert "Traceback" not in text


def test_files_with_hostile_names(specc, tmp_path: Path) -> None:
    for name in (f"a{HOSTILE}.spec".encode(), b"b\xff\n.spec"):
        (tmp_path / os.fsdecode(name)).write_text(SPEC.replace("1 ms", "99 s"))
        for command in (b"check", b"run"):
            code, text = specc(command, name)
            assert (code, RAW.search(text)) == (0, None)
        assert not RAW.search(specc(b"fmt", b"--check", name)[1])
    for path in tmp_path.rglob("*.md"):
        assert not RAW.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        f'let a = "{HOSTILE}" + 1',
        f"let a = {HOSTILE}",
        f'model mine {{ config = "{HOSTILE}.json" }}',
        'model mine { config = "config.json" }',
        'workload w { lengths_from = "bins.csv" }',
        f'assert 1 == 2 else "{HOSTILE}"',
        f'use "{HOSTILE}"',
    ],
)
@pytest.mark.parametrize("format_", ["text", "json", "sarif"])
def test_diagnostics(specc, tmp_path: Path, text: str, format_: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [HOSTILE]}))
    (tmp_path / "bins.csv").write_text(f"share,input,{HOSTILE}\n{HOSTILE},2,3\n")
    (tmp_path / "plan.spec").write_text(text)
    code, printed = specc("check", "plan.spec", "--format", format_)
    assert code == 2
    assert not RAW.search(printed)


def test_no_message_repeats_a_long_input(specc, tmp_path: Path) -> None:
    long = "a" * 50_000
    for arguments in (
        ["check", "plan.spec", "--set", f"{long}=1"],
        ["check", "plan.spec", "--set", f'chat.input="{long}"'],
        ["explain", long],
        [long],
        ["run", f"--{long}"],
        ["show", "model", long],
        ["simulate", "plan.spec", "--study", f"{long} {long}"],
    ):
        code, text = specc(*arguments)
        assert code == 2
        assert len(text) < 4000
    (tmp_path / "plan.spec").write_text(f"let {long} = {long}2")
    assert len(specc("check", "plan.spec")[1]) < 4000


@pytest.mark.parametrize(
    "arguments",
    [
        *([name] for name in ("run", "check", "plan", "simulate", "fmt", "init")),
        ["fmt", "--diff"],
        ["check", "--fix"],
        ["show", "ops"],
        ["show", "model"],
        ["validate", "steps"],
        ["run", "plan.spec", "--out"],
        ["run", "plan.spec", "--csv"],
        ["run", "plan.spec", "--check", "--out"],
    ],
    ids=" ".join,
)
def test_a_path_that_is_too_long(specc, arguments: list[str]) -> None:
    code, text = specc(*arguments, "a" * 5000 + ".spec")
    assert code == (1 if "--out" in arguments and "--check" in arguments else 2)
    assert "error[" in text
    assert len(text) < 4000


def test_what_is_shown_instead() -> None:
    assert visible("a\tb\nc\x1b\u202e\U000e0041") == "a\tb\nc\\x1b\\u202e\\U000e0041"
    assert visible_line("a\nb\tc\udcff") == "a\\nb\\tc\\udcff"
    assert visible("重\u3000要 ⚠\ufe0f naïve\u00a0é") == "重\u3000要 ⚠\ufe0f naïve\u00a0é"
    text = json.dumps({"a": HOSTILE, "b": "\udcff\x7f"}, ensure_ascii=False)
    assert not RAW.search(visible_json(text))
    assert json.loads(visible_json(text)) == json.loads(text)
    quoted = message(f"there is no '{'b ' * LONGEST}', it doesn't fit; known: 'a', 'b'")
    assert quoted.endswith("…', it doesn't fit; known: 'a', 'b'")
    assert len(quoted) < LONGEST
