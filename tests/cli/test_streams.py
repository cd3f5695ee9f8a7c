"""Standard streams of any encoding and width, closed ones and full ones, for every command."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from specc.cli import codes, faults, main
from tests.conftest import ROOT

COMMANDS = {
    "run": ["run", "plan.spec"],
    "run --format json": ["run", "plan.spec", "--format", "json"],
    "run --check": ["run", "plan.spec", "--check", "--out", "none"],
    "check": ["check", "plan.spec"],
    "check --format json": ["check", "wrong.spec", "--format", "json"],
    "check --format sarif": ["check", "wrong.spec", "--format", "sarif"],
    "check of what is wrong": ["check", "wrong.spec"],
    "check --emit": ["check", "plan.spec", "--emit", "tokens"],
    "plan": ["plan", "plan.spec"],
    "simulate": ["simulate", "queue.spec"],
    "docs": ["docs"],
    "docs --format json": ["docs", "--format", "json"],
    "explain": ["explain", "E0302"],
    "explain of nothing": ["explain", "E03020"],
    "fmt": ["fmt", "-"],
    "fmt --diff": ["fmt", "--diff", "plan.spec"],
    "show model": ["show", "model", "qwen3_8b"],
    "show ops": ["show", "ops", "plan.spec"],
    "init": ["init", "new.spec"],
    "--help": ["--help"],
    "run --help": ["run", "--help"],
    "--version": ["--version"],
    "a wrong command": ["fly"],
}
FAILING = {"run --check", "fmt --diff"}
WRONG = {
    "check --format json",
    "check --format sarif",
    "check of what is wrong",
    "explain of nothing",
    "a wrong command",
}
JSON = [name for name in COMMANDS if "json" in name or "sarif" in name or "emit" in name]
QUEUE = """
workload small { input = 40 tok; output = 8 tok; slo { ttft.p99 <= 9 s } }
server measured {
    step_cost {
        | step    | size | time  |
        | prefill | 40   | 25 ms |
        | decode  | 8    | 14 ms |
    }
}
study s { workload = small; servers = measured; simulate { arrival = burst; requests = 9 } }
"""


@pytest.fixture
def shell(tmp_path: Path, small_spec):
    """Run `specc …` with redirections of a shell; returns its code and what came out of it."""

    def run(command: str, redirected: str = "", **environment: str) -> tuple[int, bytes, bytes]:
        for name in ("new.spec", ".gitignore", ".gitattributes"):
            (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / "plan.spec").write_text(small_spec() + "## “重” → 3 × 4 …\nlet  unused = 1\n")
        (tmp_path / "wrong.spec").write_text('let a = = "重 → 1–2 …"\n')
        (tmp_path / "queue.spec").write_text(QUEUE)
        line = subprocess.list2cmdline([sys.executable, "-m", "specc", *COMMANDS[command]])
        done = subprocess.run(
            ["bash", "-c", f"{line} {redirected}\necho ${{PIPESTATUS[0]}} > code"],
            cwd=tmp_path,
            input="# 重 → …\nlet  a=1".encode(),
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        return int((tmp_path / "code").read_text()), done.stdout, done.stderr

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_closed_and_full_streams(shell, command: str) -> None:
    code, printed, said = shell(command)
    assert b"Traceback" not in said
    # What is closed takes what it gets, as no device would.
    assert shell(command, ">&- 2>&- <&-") == (code, b"", b"")
    full = b"error[E0006]: cannot write to standard output: no space left on device\n"
    expected = (2, said + full) if printed else (code, said)
    assert shell(command, ">/dev/full")[::2] == expected


@pytest.mark.parametrize("command", ["run", "docs", "fmt", "check of what is wrong", "--help"])
def test_one_stream_of_two_and_a_reader_that_has_gone(shell, command: str) -> None:
    """Ways to print: a report, a long text, a filter, what is wrong, and the help."""
    code, printed, said = shell(command)
    assert shell(command, ">&-") == (code, b"", said)
    assert shell(command, "2>/dev/full") == (code, printed, b"")
    gone, _, errors = shell(command, "> >(exec true)")
    assert errors == said
    # A reader that ends a moment later has left room for what was written till then.
    assert gone in ((141, code) if printed else (code,))


def test_a_pipe_without_a_reader(tmp_path: Path, small_spec) -> None:
    (tmp_path / "plan.spec").write_text(small_spec())
    for arguments in (["run", "plan.spec"], ["docs"], ["--help"], ["--version"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "specc", *arguments],
            cwd=tmp_path,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, b"")
    assert (tmp_path / "plan.report.md").is_file()


ENCODINGS = ["ascii:strict", "cp1252", "latin-1", "gbk", "utf-16", "utf-8:nonsense"]
SOME = ["run --format json", "docs", "check of what is wrong"]


@pytest.mark.parametrize(
    ("command", "encoding"),
    [(c, "ascii") for c in COMMANDS]
    + [("run", encoding) for encoding in ENCODINGS]
    # The others take turns: each of them has two, each of these one.
    + [(SOME[n % len(SOME)], encoding) for n, encoding in enumerate(ENCODINGS)],
)
def test_any_encoding(shell, command: str, encoding: str) -> None:
    code, printed, said = shell(command, PYTHONIOENCODING=encoding)
    assert code == (2 if command in WRONG else 1 if command in FAILING else 0)
    name = encoding.partition(":")[0]
    text, errors = printed.decode(name), said.decode(name)
    assert text or errors
    assert "Traceback" not in errors
    if command in JSON:
        assert json.loads(text)


def test_what_stands_for_a_character(shell) -> None:
    _, printed, _ = shell("run", PYTHONIOENCODING="ascii")
    text = printed.decode("ascii")
    assert "TPOT <= 50 ms" in text
    assert "8 x test_device" in text
    assert "+-----" in text
    _, _, said = shell("check of what is wrong", PYTHONIOENCODING="ascii")
    assert b'let a = = "\\u91cd -> 1-2 ..."' in said


@pytest.mark.parametrize("columns", ["0", "1", "20", "10000", "x", "-5", "9" * 30])
def test_any_width(shell, columns: str) -> None:
    commands = (
        ("run", "run --help", "check of what is wrong") if columns in ("1", "x") else ("run",)
    )
    for command in commands:
        code, _, said = shell(command, COLUMNS=columns)
        assert code == (2 if command.startswith("check") else 0)
        assert b"Traceback" not in said


@pytest.mark.parametrize(
    "environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"COLUMNS": "1"}, {"COLUMNS": "x"}]
)
def test_a_terminal_of_its_own(tmp_path: Path, small_spec, environment: dict[str, str]) -> None:
    (tmp_path / "plan.spec").write_text(small_spec() + "let a = = 1\n")
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "specc", "run", "plan.spec"],
        cwd=tmp_path,
        stdout=theirs,
        stderr=theirs,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
    )
    text = os.read(ours, 1_000_000).decode()
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2
    assert "E0101" in text
    assert ("\x1b[" in text) == ("NO_COLOR" not in environment)


def test_exit_codes_are_told(capsys) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for code in codes.Exit:
        assert f"  {code.value:<4} {code.text}" in told
        assert f"| {code.value} | {code.text} |" in readme


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("boom \x1b"), "unexpected error"),
        (MemoryError(), "the machine has not enough memory"),
        (RecursionError("deep"), "nested too deeply"),
        (UnicodeEncodeError("ascii", "\udcff", 0, 1, "no"), "unexpected error"),
    ],
)
def test_a_fault_of_specc(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("specc.session.check", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("SPECC_DEBUG", raising=False)
    assert main(["check", "plan.spec"]) == 70
    told = capsys.readouterr().err
    assert said in told
    assert f"{type(error).__name__} in specc/session.py:" in told
    assert "Traceback" not in told
    (report,) = tmp_path.iterdir()
    assert str(report) in told
    assert "Traceback" in report.read_text()

    monkeypatch.setenv("SPECC_DEBUG", "1")
    assert main(["check", "plan.spec"]) == 70
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.delenv("SPECC_DEBUG")
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (_ for _ in ()).throw(OSError()))
    faults.told(error)
    assert "cannot be written; set SPECC_DEBUG=1" in capsys.readouterr().err
