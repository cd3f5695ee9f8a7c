"""`specc check --fix`: what it changes, what it leaves, and what it says."""

import json
import os
from pathlib import Path

import pytest

from specc.cli import main

HEAD = "use std.devices\nuse std.models\n"
CHAT = "workload chat { input = 3500 tok; output = 1500 tok; slo { tpot <= 50 ms } }\n"
A3 = "deployment a3 { model = qwen3_8b; device = test_device; devices = 8 }\n"
STUDY = "study s { workload = chat; deployments = a3 }\n"
SIMULATED = STUDY.replace("}", "; simulate { arrival = burst; instances = 2 } }")
GOOD = HEAD + CHAT + A3 + STUDY


@pytest.fixture
def fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Write a spec and fix it; returns the exit code, the text after, and what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, *options: str) -> tuple[int, str, str, str]:
        path = tmp_path / "plan.spec"
        path.write_bytes(text.encode())
        code = main(["check", "--fix", "plan.spec", *options])
        printed = capsys.readouterr()
        return code, path.read_bytes().decode(), printed.out, printed.err

    return run


SAFE = {
    "a field in capitals": (GOOD.replace("input", "INPUT"), GOOD),
    "an objective in capitals": (GOOD.replace("tpot", "TPOT"), GOOD),
    "a kind in capitals": (GOOD.replace("workload chat", "Workload chat"), GOOD),
    "a name in capitals": (GOOD.replace("= qwen3_8b", "= Qwen3_8B"), GOOD),
    "a unit in capitals": (GOOD.replace("50 ms", "50 MS"), GOOD),
    "a size in small letters": (GOOD + "let a = 5 gib\nassert a > 1 GiB\n",
                                GOOD + "let a = 5 GiB\nassert a > 1 GiB\n"),
    "a module": (GOOD.replace("std.models", "std.Models"), GOOD),
    "an unused let": (GOOD + "let nodes = 2\n", GOOD),
    "lets that only each other use": (GOOD + "let a = 2\nlet b = a\nlet c = b\n", GOOD),
    "an unused use": ("use std.calibrations\n" + GOOD, GOOD),
    "several on one line": (GOOD + "let a = 2; let b = 3; let c = 4\n", GOOD),
    "the last of a line": (HEAD + "let a = 1; let b = 3\nassert a == 1\n" + CHAT + A3 + STUDY,
                           HEAD + "let a = 1\nassert a == 1\n" + CHAT + A3 + STUDY),
    "a comment behind": (GOOD + "let a = 2  # two nodes\n", GOOD + "# two nodes\n"),
    "no end of line": (GOOD + "let a = 2", GOOD),
    "line ends of Windows": (GOOD.replace("tpot", "TPOT").replace("\n", "\r\n"),
                             GOOD.replace("\n", "\r\n")),
    "a former name": (GOOD + SIMULATED.replace("s {", "t {").replace("instances", "replicas"),
                      GOOD + SIMULATED.replace("s {", "t {")),
    "a byte order mark": ("\ufefflet a = 2\r\n" + GOOD, "\ufeff" + GOOD),
}  # fmt: skip


@pytest.mark.parametrize("case", SAFE)
def test_what_is_safe_is_changed(case: str, fix) -> None:
    before, after = SAFE[case]
    code, text, out, err = fix(before)
    assert (code, text, err) == (0, after, "")
    assert out.startswith("fixed plan.spec:")
    assert out.endswith("1 spec checked, no errors\n")


UNSAFE = {
    "a misspelling": GOOD.replace("input", "inptu"),
    "a guessed unit": GOOD.replace("50 ms", "50"),
    "thousands": GOOD.replace("1500 tok", "8k tok"),
    "bits": GOOD + "let a = 5 Gb\nassert a > 1 GiB\n",
    "bits of a link": GOOD + "let a = 5 gb/s\nassert a > 1 GiB/s\n",
    "two names that differ in case": (
        GOOD + A3.replace("a3", "a_B") + A3.replace("a3", "A_b") + STUDY.replace("a3", "A_B")
    ).replace("study s", "study t", 1),
    "a comment inside": GOOD + "let a = [\n    1,  # one\n    2,\n]\n",
    "documentation above": HEAD + "## of the let\nlet a = 2\n" + CHAT + A3 + STUDY,
    "documentation behind": HEAD + "let a = 2  ## of the let\n" + CHAT + A3 + STUDY,
}


@pytest.mark.parametrize("case", UNSAFE)
def test_what_is_a_guess_is_left(case: str, fix) -> None:
    _, text, out, err = fix(UNSAFE[case])
    assert text == UNSAFE[case]
    assert "fixed" not in out
    assert "plan.spec" in err


def test_what_remains_is_printed(fix) -> None:
    code, text, out, err = fix(GOOD.replace("tpot", "TPOT").replace("3500 tok", "3500"))
    assert code == 2
    assert "tpot <=" in text
    assert out == "fixed plan.spec:3:56: Change to 'tpot'\n"
    assert "E0303" in err
    assert "E0202" not in err


def test_nothing_to_do_leaves_the_file_alone(fix, tmp_path: Path) -> None:
    fix(GOOD)
    before = (tmp_path / "plan.spec").stat()
    assert main(["check", "--fix", "plan.spec"]) == 0
    after = (tmp_path / "plan.spec").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_read_only_file(fix, tmp_path: Path, capsys) -> None:
    fix(GOOD)
    path = tmp_path / "plan.spec"
    path.write_text(GOOD.replace("tpot", "TPOT"))
    path.chmod(0o444)
    assert main(["check", "--fix", "plan.spec"]) == 2
    err = capsys.readouterr().err
    assert "error[E0006]: cannot write 'plan.spec': it is read-only" in err
    assert "E0202" in err
    assert "TPOT" in path.read_text()


def test_only_named_files_are_changed(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    shared = "let format = W8A8_DYNAMIC\nlet more = 2\n" + STUDY.replace("s {", "other {")
    (tmp_path / "common.spec").write_text(HEAD + CHAT + A3 + shared)
    plan = 'use "common.spec"\nuse std.models\nuse std.devices\n'
    plan += A3.replace("a3", "b3").replace("8 }", "8; quant = format }")
    plan += "study s { workload = chat; deployments = b3 }\nassert more == 2\n"
    (tmp_path / "plan.spec").write_text(plan)
    common = (tmp_path / "common.spec").read_text()
    assert main(["check", "--fix", "plan.spec"]) == 2
    assert (tmp_path / "common.spec").read_text() == common
    # Named together, the file that is used keeps what only the other one uses.
    main(["check", "--fix", "plan.spec", "common.spec"])
    assert "let more = 2" in (tmp_path / "common.spec").read_text()
    capsys.readouterr()


def test_a_folder_and_a_link(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("specs/a.spec", "specs/deep/b.spec"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(GOOD.replace("tpot", "TPOT"))
    (tmp_path / "specs/link.spec").symlink_to("a.spec")
    assert main(["check", "--fix", "specs"]) == 0
    assert (tmp_path / "specs/a.spec").read_text() == GOOD
    assert (tmp_path / "specs/deep/b.spec").read_text() == GOOD
    assert (tmp_path / "specs/link.spec").is_symlink()
    assert capsys.readouterr().out.count("fixed ") == 2


def test_data_stays_data(fix) -> None:
    code, _, out, err = fix(GOOD.replace("tpot", "TPOT"), "--format", "json")
    assert (code, json.loads(out)) == (0, {"diagnostics": []})
    assert err == "fixed plan.spec:3:60: Change to 'tpot'\n"


@pytest.mark.parametrize("other", [("--set", "chat.input=1tok"), ("--emit", "ir")])
def test_what_it_does_not_go_with(other: tuple[str, str], fix) -> None:
    text = GOOD.replace("tpot", "TPOT")
    code, after, _, err = fix(text, *other)
    assert (code, after) == (2, text)
    assert "leave out --set, --emit" in err


def test_a_missing_file(fix, capsys) -> None:
    assert main(["check", "--fix", "none.spec"]) == 2
    assert "E0001" in capsys.readouterr().err
    assert not os.path.exists("none.spec")


def test_a_former_name_in_a_file_that_is_used(tmp_path: Path, monkeypatch, capsys) -> None:
    """What is only renamed is fixed there too: nobody else can need the old name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "common.spec").write_text(
        HEAD + CHAT + A3 + SIMULATED.replace("instances", "replicas")
    )
    (tmp_path / "plan.spec").write_text('use "common.spec"\n' + STUDY.replace("s {", "other {"))
    assert main(["check", "--fix", "plan.spec", "common.spec"]) == 0
    assert (tmp_path / "common.spec").read_text() == HEAD + CHAT + A3 + SIMULATED
    capsys.readouterr()
