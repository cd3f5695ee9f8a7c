"""The command line as a person uses it: output, exit codes, and what happens when it goes wrong."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.begun import begun
from tests.conftest import ROOT


@pytest.fixture
def specc(tmp_path: Path):
    """Run specc in a folder of its own."""

    def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "specc", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), **options},
        )

    return run


@pytest.fixture
def spec(tmp_path: Path, small_spec) -> Path:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    return path


def test_a_run_prints_the_answer_and_writes_the_report(specc, spec, snapshot) -> None:
    done = specc("run", "plan.spec")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == snapshot
    names = {p.name for p in spec.parent.iterdir()}
    assert {"plan.report.md", "plan.report.html", "plan.result.json"} <= names


def test_the_plan(specc, spec, snapshot) -> None:
    spec.write_text(spec.read_text().replace("[1, 2, 4, 8]", "[1, 3, 8]"))
    done = specc("plan", "plan.spec")
    assert done.returncode == 0
    assert re.sub(r"[0-9a-f]{16}", "…", done.stdout) == snapshot
    plan = json.loads(specc("plan", "plan.spec", "--format", "json").stdout)
    assert len(plan["studies"][0]["tasks"]) == 2


def test_another_folder_and_a_table(specc, spec) -> None:
    done = specc("run", "plan.spec", "--out", "reports/june", "--csv", "all.csv")
    assert done.returncode == 0
    assert (spec.parent / "reports/june/plan.report.md").is_file()
    assert not (spec.parent / "plan.report.md").exists()
    assert len((spec.parent / "all.csv").read_text().splitlines()) == 5


def test_check_of_reports_fails_when_they_are_stale(specc, spec) -> None:
    assert specc("run", "plan.spec", "--check").returncode == 1
    specc("run", "plan.spec")
    assert specc("run", "plan.spec", "--check").returncode == 0
    spec.write_text(spec.read_text().replace("50 ms", "49 ms"))
    before = (spec.parent / "plan.report.md").read_bytes()
    done = specc("run", "plan.spec", "--check")
    assert done.returncode == 1
    assert "E0007" in done.stderr
    assert (spec.parent / "plan.report.md").read_bytes() == before


def test_an_override_is_checked_like_the_text(specc, spec) -> None:
    done = specc("plan", "plan.spec", "--set", "deployment.eight.devices=4", "--format", "json")
    tasks = json.loads(done.stdout)["studies"][0]["tasks"]
    assert {task["setup"]["deployment"]["devices"] for task in tasks} == {4}
    for option, code, place in (
        ("chat.slo.tpot=3GiB", "E0302", "--set:1:15"),
        ("chat.slo.tpto=3ms", "E0202", "--set:1:10"),
        ("cha.input=3tok", "E0203", "--set:1:1"),
        ("workload=3", "E0203", "--set:1:1"),
        ("let a = 1", "E0008", "--set:1:1"),
        ("chat.input=", "E0101", "--set:1:12"),
    ):
        done = specc("check", "plan.spec", "--set", option)
        assert done.returncode == 2
        assert f"error[{code}]" in done.stderr
        assert place in done.stderr
    specc("run", "plan.spec", "--set", "chat.input=1Ki tok", "--out", "other")
    assert "`--set chat.input=1Ki tok`" in (spec.parent / "other/plan.report.md").read_text()
    result = json.loads((spec.parent / "other/plan.result.json").read_text())
    assert result["overrides"] == ["chat.input=1Ki tok"]
    assert result["studies"][0]["study"]["workload"]["input"] == 1024


def test_an_override_of_a_base_reaches_what_extends_it(specc, spec) -> None:
    text = spec.read_text().replace("study", "deployment more extends eight { devices = 4 }\nstudy")
    spec.write_text(text.replace("[eight]", "[eight, more]"))
    done = specc("plan", "plan.spec", "--set", "eight.parallel.tp=2", "--format", "json")
    tasks = json.loads(done.stdout)["studies"][0]["tasks"]
    assert [(t["setup"]["deployment"]["name"], t["layout"]["tp"]) for t in tasks] == [
        ("eight", 2), ("more", 2),
    ]  # fmt: skip


def test_fmt_writes_checks_shows_and_refuses(specc, spec, tmp_path: Path) -> None:
    before = spec.read_text()
    assert specc("fmt", "plan.spec", "--check").returncode == 1
    shown = specc("fmt", "plan.spec", "--diff")
    assert (shown.returncode, spec.read_text()) == (1, before)
    assert "+++ plan.spec" in shown.stdout
    assert specc("fmt", ".").returncode == 0
    assert spec.read_text() != before
    assert specc("fmt", "plan.spec", "--check").returncode == 0
    (tmp_path / "wrong.spec").write_text("let a = = 1\n")
    done = specc("fmt", "wrong.spec")
    assert done.returncode == 2
    assert "left as it is" in done.stderr
    assert (tmp_path / "wrong.spec").read_text() == "let a = = 1\n"


def test_fmt_of_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "specc", "fmt", "-"],
        input="let a=1", capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout == "let a = 1\n"


def test_stages_can_be_looked_at(specc, spec) -> None:
    tokens = json.loads(specc("check", "plan.spec", "--emit", "tokens").stdout)
    assert {"type": "NAME", "text": "workload", "line": 4, "column": 1} in tokens
    tree = json.loads(specc("check", "plan.spec", "--emit", "tree").stdout)
    assert [node["node"] for node in tree] == ["Use", "Use", "Block", "Block", "Block"]
    ir = json.loads(specc("check", "plan.spec", "--emit", "ir").stdout)
    assert ir["studies"][0]["workload"]["slo"]["tpot"] == 0.05
    plan = json.loads(specc("check", "plan.spec", "--emit", "plan").stdout)
    assert len(plan["studies"][0]["tasks"]) == 4
    spec.write_text("let a = = 1")
    done = specc("check", "plan.spec", "--emit", "ir")
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(specc("check", "plan.spec", "--emit", "tree").stdout) == []


def test_sarif_for_code_hosts(specc, spec) -> None:
    spec.write_text("let a = = 1")
    log = json.loads(specc("check", "plan.spec", "--format", "sarif").stdout)
    assert log["runs"][0]["results"][0]["ruleId"] == "E0101"


def test_explain_and_docs(specc) -> None:
    assert "Wrong:" in specc("explain", "e0302").stdout
    assert "tpot <= 50 ms" in specc("explain", "workload.slo.tpot").stdout
    done = specc("explain", "workload.slo.tpto")
    assert (done.returncode, "workload.slo.tpot" in done.stderr) == (2, True)
    assert "### deployment" in specc("docs").stdout


def test_init_writes_a_spec_that_runs_and_what_git_must_know(specc, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.pyc\n*.spec")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "old.spec").write_text("let a = 1\n")
    assert "W0005" in specc("check", "old.spec").stderr
    assert specc("init", "first.spec").returncode == 0
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n*.spec\n!*.spec\n"
    done = specc("check", "first.spec", "old.spec")
    assert (done.returncode, done.stderr) == (0, "")
    assert specc("fmt", "first.spec", "--check").returncode == 0
    assert specc("run", "first.spec").returncode == 0
    assert specc("init", "first.spec").returncode == 2


def test_a_table_never_replaces_another_file(specc, spec) -> None:
    before = spec.read_bytes()
    for name in ("plan.spec", "plan.report.md", "./plan.result.json", "other.spec"):
        done = specc("run", "plan.spec", "--csv", name)
        assert done.returncode == 2
        assert "E0006" in done.stderr
    assert spec.read_bytes() == before
    assert specc("run", "plan.spec", "--csv", "a.csv", "--check").returncode == 1  # stale


def test_warnings_go_to_standard_error_beside_json(specc, spec) -> None:
    spec.write_text(spec.read_text().replace("3500 tok", "4k tok"))
    for command in ("run", "plan"):
        done = specc(command, "plan.spec", "--format", "json")
        json.loads(done.stdout)
        assert "W0001" in done.stderr
    stale = specc("run", "plan.spec", "--check", "--format", "json", "--out", "none")
    assert "none/plan.report.md" in json.loads(stale.stdout)["stale"]


def test_an_expectation_that_fails_is_told_with_its_values(specc, spec) -> None:
    text = spec.read_text()
    spec.write_text(
        text.replace(
            "[eight] }",
            """[eight]
        expect best.throughput >= 3 tok/s and best.tp == 8
        expect eight.best.ttft <= 2 s else "agreed with the product team" }""",
        )
    )
    done = specc("run", "plan.spec")
    assert done.returncode == 1
    assert "eight.best.ttft is 15.543 s" in done.stdout
    assert "agreed with the product team" in done.stdout
    spec.write_text(spec.read_text().replace("<= 2 s", "<= 20 s"))
    assert specc("run", "plan.spec").returncode == 0


def test_a_sweep_sets_its_variants_side_by_side(specc, spec) -> None:
    text = spec.read_text()
    spec.write_text(
        text.replace(
            "[eight] }",
            """[eight]
        sweep chat.slo.tpot in [30 ms, 50 ms]
        sweep zip {
            sweep chat.input in [1000 tok, 3500 tok]
            sweep chat.output in [100 tok, 1500 tok]
        }
    }""",
        )
    )
    done = specc("run", "plan.spec")
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith((" 30", " 50"))]
    assert [row[:6] for row in rows] == [
        ["30", "ms", "1000", "tok", "100", "tok"],
        ["30", "ms", "3500", "tok", "1500", "tok"],
        ["50", "ms", "1000", "tok", "100", "tok"],
        ["50", "ms", "3500", "tok", "1500", "tok"],
    ]
    assert "3,880" in rows[3]
    result = json.loads((spec.parent / "plan.result.json").read_text())
    assert [s["study"]["settings"][0] for s in result["studies"]] == [
        ["chat.slo.tpot", "30 ms"], ["chat.slo.tpot", "30 ms"],
        ["chat.slo.tpot", "50 ms"], ["chat.slo.tpot", "50 ms"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "let x = " + "+".join(["1"] * 5000),
        "let x = " + "-" * 3000 + "1",
        "\n".join(f"let a{i} = a{i - 1}" for i in range(1, 3000)) + "\nlet a0 = a2999",
        "assert " + " and ".join(["1 == 1"] * 3000),
    ],
    ids=["sum", "minus", "chain", "condition"],
)
def test_depth_is_diagnosed(specc, spec, text: str) -> None:
    spec.write_text(text)
    done = specc("check", "plan.spec")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search("E0103|E0206", done.stderr)


def test_a_chain_of_files_and_a_link_to_itself(specc, spec) -> None:
    for number in range(100):
        (spec.parent / f"u{number}.spec").write_text(f'use "u{number + 1}.spec"\n')
    done = specc("check", "u0.spec")
    assert (done.returncode, "E0103" in done.stderr) == (2, True)
    (spec.parent / "loop.spec").symlink_to("loop.spec")
    done = specc("check", "loop.spec")
    assert (done.returncode, "E0001" in done.stderr) == (2, True)


def test_json_output_is_the_result_file(specc, spec) -> None:
    done = specc("run", "plan.spec", "--format", "json")
    assert done.stdout == (spec.parent / "plan.result.json").read_text()


def test_a_typo_is_an_error_one_can_act_on(specc, spec) -> None:
    spec.write_text(spec.read_text().replace("qwen3_32b", "qwen3_32"))
    for command in ("run", "check", "plan"):
        done = specc(command, "plan.spec")
        assert done.returncode == 2
        assert "plan.spec:6:13" in done.stderr
        assert "did you mean 'qwen3_32b'?" in done.stderr
        assert "Traceback" not in done.stderr
    assert [p.name for p in spec.parent.iterdir()] == ["plan.spec"]
    found = json.loads(specc("check", "plan.spec", "--format", "json").stdout)["diagnostics"]
    assert [(d["code"], d["labels"][0]["line"]) for d in found] == [("E0203", 6)]


def test_nothing_feasible_has_a_code_of_its_own_and_a_report(specc, spec) -> None:
    spec.write_text(spec.read_text().replace("50 ms", "5 ms"))
    done = specc("run", "plan.spec")
    assert done.returncode == 3
    assert "No layout meets the limits" in done.stdout
    assert (spec.parent / "plan.report.md").is_file()


def test_a_spec_without_a_study(specc, spec) -> None:
    spec.write_text("use std.devices\n")
    assert specc("check", "plan.spec").returncode == 0
    done = specc("run", "plan.spec")
    assert done.returncode == 2
    assert "E0404" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff\xfe", b"(" * 5000, b"a" * 100_000])
def test_what_is_no_spec_is_diagnosed(specc, spec, content: bytes) -> None:
    spec.write_bytes(content)
    done = specc("run", "plan.spec")
    assert done.returncode == 2
    assert "error[E0" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 3000


def test_missing_file_folder_and_wrong_options(specc, spec) -> None:
    for arguments in (["run", "none.spec"], ["run", "."], ["check", "none.spec"], ["run"], ["fly"]):
        done = specc(*arguments)
        assert done.returncode == 2
        assert done.stderr
        assert "Traceback" not in done.stderr


def test_help_shows_commands_and_an_example(specc) -> None:
    assert "specc run specs/qwen3-32b-chat.spec" in specc("--help").stdout
    for command in ("run", "check", "plan", "fmt", "explain", "docs", "init"):
        assert "example: specc" in specc(command, "--help").stdout
    assert specc("--version").stdout.startswith("specc 0.")


def test_colour_only_where_it_is_wanted(specc, spec) -> None:
    spec.write_text("x")
    assert "\x1b[" not in specc("check", "plan.spec").stderr


def test_a_folder_that_cannot_be_written(specc, spec) -> None:
    (spec.parent / "file").write_text("")
    done = specc("run", "plan.spec", "--out", "file/reports")
    assert done.returncode == 2
    assert "E0006" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_without_room_for_caches(specc, spec) -> None:
    assert specc("run", "plan.spec", XDG_CACHE_HOME="/proc/none").returncode == 0


def test_a_damaged_cache_is_made_anew(specc, spec, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert specc("check", "plan.spec", XDG_CACHE_HOME=str(cache)).returncode == 0
    files = [p for p in cache.rglob("*") if p.is_file()]
    assert len(files) in (0, 4)  # none, where the installation holds all of them
    for path in files:
        path.write_bytes(b"rubbish")
    done = specc("check", "plan.spec", XDG_CACHE_HOME=str(cache))
    assert (done.returncode, done.stderr) == (0, "")


def test_two_runs_at_once_leave_whole_files(spec) -> None:
    command = [sys.executable, "-m", "specc", "run", "plan.spec"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [
        subprocess.Popen(command, cwd=spec.parent, env=environment, stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]
    assert [run.wait() for run in runs] == [0, 0, 0]
    json.loads((spec.parent / "plan.result.json").read_text())
    assert not [p for p in spec.parent.iterdir() if p.name.startswith(".")]


def test_an_interrupt_writes_nothing_and_says_so(tmp_path: Path, small_spec) -> None:
    many = "; sweep chat.output in 2 tok .. 999 tok by 1 tok }"
    (tmp_path / "plan.spec").write_text(small_spec().rstrip()[:-1] + many)
    place = "specc.run.events:Events.advanced"
    run = begun(place, ["run", "plan.spec"], tmp_path, stderr=subprocess.PIPE, text=True)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130
    assert errors.strip() == "interrupted"
    assert [p.name for p in tmp_path.iterdir()] == ["plan.spec"]


def test_a_reader_that_leaves_early_is_no_error(spec) -> None:
    done = subprocess.run(
        f"{sys.executable} -m specc plan plan.spec --format json | head -c 10",
        shell=True,
        cwd=spec.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


def test_a_named_list_is_swept_whole(specc, spec) -> None:
    text = spec.read_text().replace("[eight] }", "[eight]; sweep eight.model in names }")
    spec.write_text(text + "let names = [qwen3_8b, qwen3_32b]\n")
    assert specc("run", "plan.spec").returncode == 0
    result = json.loads((spec.parent / "plan.result.json").read_text())
    models = [study["candidates"][0]["instance"]["model"] for study in result["studies"]]
    assert models == ["qwen3_8b", "qwen3_32b"]


def test_a_sweep_does_not_hide_what_the_command_line_sets(specc, spec) -> None:
    text = spec.read_text().replace("[eight] }", "[eight]; sweep chat.input in [1 tok, 9 tok] }")
    spec.write_text(text)
    done = specc("check", "plan.spec", "--set", "chat.input=5tok")
    assert (done.returncode, "E0204" in done.stderr) == (2, True)


def test_fmt_keeps_links_and_modes_and_leaves_hidden_folders(specc, tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    hidden, real, link = tmp_path / ".venv/a.spec", tmp_path / "real.spec", tmp_path / "link.spec"
    hidden.write_text("let  a=1")
    real.write_text("let  a=1")
    real.chmod(0o640)
    link.symlink_to("real.spec")
    assert specc("fmt", "link.spec").returncode == 0
    assert link.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("let a = 1\n", 0o640)
    real.write_bytes(b"let a = 1\r\n")
    assert specc("fmt", ".", "--check").returncode == 1
    assert specc("fmt", ".").returncode == 0
    assert (real.read_bytes(), hidden.read_text()) == (b"let a = 1\n", "let  a=1")
    assert "\\ No newline" in specc("fmt", ".venv/a.spec", "--diff").stdout


def test_fmt_of_what_is_no_text(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "specc", "fmt", "-"],
        input=b"# caf\xe9\nlet a=1", capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, b"")


def test_emit_prints_one_document(specc, spec) -> None:
    assert specc("check", "plan.spec", "plan.spec", "--emit", "ir").returncode == 2
    assert specc("check", "plan.spec", "--emit", "ir", "--format", "json").returncode == 2


def test_explain_knows_what_is_planned(specc) -> None:
    assert "not evaluated by this version" in specc("explain", "deployment.cluster").stdout
