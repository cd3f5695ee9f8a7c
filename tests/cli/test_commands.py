"""The command line: help, words of other tools, several specs, standard input, what CI reads."""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from specc.check.strangers import WORDS
from specc.cli.main import COMMANDS, MEANT
from specc.ir.documentation import page, pages
from tests.conftest import ROOT

PLAN = """use std.devices
use std.models
workload w {{ input = 100 tok; output = 10 tok; slo {{ tpot <= 50 ms }} }}
deployment d {{ model = qwen3_8b; device = {device}; devices = 1 }}
study s {{
    workload = w; deployments = d; simulate = none; sensitivity = none
    {more}
}}
"""


def _plan(more: str = "", device: str = "atlas_800_a3_752t_die") -> str:
    return PLAN.format(more=more, device=device)


def _piped(
    text: str, *arguments: str, folder: Path, command: tuple[str, ...] = ("run",)
) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "specc", *command, "-", *arguments)
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, cwd=folder
    )


def test_alone_it_prints_help(specc) -> None:
    said = specc().stdout
    assert said.startswith("usage: specc")
    assert all(re.search(rf"^ +{name}\b", said, re.M) for name in COMMANDS)


@pytest.mark.parametrize(
    ("word", "meant"), [("rnu", "run"), ("dif", "diff"), ("serve", "launch"), ("lint", "check")]
)
def test_a_command_that_is_none(specc, word: str, meant: str) -> None:
    done = specc(word, "plan.spec", code=2)
    assert f"there is no command '{word}': did you mean '{meant}'?" in done.stderr


def test_what_is_meant_exists() -> None:
    assert set(MEANT.values()) <= set(COMMANDS)
    assert not set(MEANT) & set(COMMANDS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("gpus = 8", "write devices = 8"),
        ("price = 3", "a device has it"),
        ("objective = throughput", "search { maximize = … }"),
        ("max_num_seqs = 3", "engine { max_sequences = … }"),
        ("tensor_parallel_size = 8", "parallel { tp = … }"),
    ],
)
def test_words_of_other_tools(specc, tmp_path, line: str, said: str) -> None:
    (tmp_path / "plan.spec").write_text(_plan().replace("devices = 1", f"devices = 1; {line}"))
    assert said in specc("check", "plan.spec", code=2).stderr


def test_words_of_other_tools_are_none_of_ours() -> None:
    """Where a word is a field of a block it is taken as such there."""
    own = {path.path.rpartition(".")[2] for path in pages()}
    for word, help_ in WORDS[""].items():
        named = re.findall(r"(?:write|slo|engine|parallel|formats) (?:\w+ \{ )?(\w+)", help_)
        assert all(name in own for name in named), (word, named)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("atlas_800_a3", "these begin so: 'atlas_800_a3_560t_die'"),
        ("atlas_800_a9_752t", "known:"),
        ("h10", "'h100'"),
    ],
)
def test_a_suggestion_never_changes_a_generation(specc, tmp_path, device, said) -> None:
    (tmp_path / "plan.spec").write_text(_plan(device=device))
    done = specc("check", "plan.spec", code=2)
    assert said in done.stderr
    assert "a2_" not in done.stderr.partition("did you mean")[2]


def test_a_model_of_another_size_is_not_suggested(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(_plan().replace("qwen3_8b", "qwen3_235b"))
    assert "did you mean 'qwen3_235b_a22b'?" in specc("check", "plan.spec", code=2).stderr


def test_a_statistic_before_its_metric(specc, tmp_path) -> None:
    text = _plan("expect best.p99.ttft <= 3 s").replace("simulate = none; ", "")
    (tmp_path / "plan.spec").write_text(text)
    assert "did you mean 'ttft.p99'?" in specc("check", "plan.spec", code=2).stderr


def test_explain_lists_the_fields_of_a_block(specc) -> None:
    said = specc("explain", "deployment").stdout
    own = [p.path for p in pages() if re.fullmatch(r"deployment\.\w+", p.path)]
    assert own
    assert all(path in said for path in own)
    fields = json.loads(specc("explain", "deployment", "--format", "json").stdout)["fields"]
    assert [one["path"] for one in fields] == own


def test_explain_finds_a_field_by_its_name(specc) -> None:
    assert specc("explain", "tp").stdout.startswith("deployment.parallel.tp:")
    said = specc("explain", "input").stdout
    assert "'input' is a field of several blocks" in said
    assert "workload.input" in said
    assert page("workload.input") is not None


def test_several_specs(specc, tmp_path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.spec").write_text(_plan())
    specc("run", "a.spec", "b.spec", "-q")
    assert {p.name for p in tmp_path.glob("*.report.md")} == {"a.report.md", "b.report.md"}
    (tmp_path / "bad.spec").write_text("workload {")
    specc("run", "a.spec", "bad.spec", "b.spec", "-q", code=2)
    (tmp_path / "b.spec").write_text(_plan("expect best.devices >= 9"))
    specc("run", "a.spec", "b.spec", "-q", code=1)
    assert "the same file" in specc("run", "a.spec", "b.spec", "--csv", "x.csv", code=2).stderr


def test_quiet_prints_what_is_wrong_and_nothing_else(specc, tmp_path) -> None:
    (tmp_path / "a.spec").write_text(_plan())
    done = specc("run", "a.spec", "--quiet")
    assert (done.stdout, done.stderr) == ("", "")
    (tmp_path / "a.spec").write_text(_plan('expect best.devices >= 9 else "nine"'))
    done = specc("run", "a.spec", "--quiet", code=1)
    assert done.stdout == ""
    assert "error[E0602]" in done.stderr


def test_standard_input(tmp_path) -> None:
    done = _piped(_plan(), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Deploy qwen3_8b as 1 instance" in done.stdout
    assert list(tmp_path.iterdir()) == []
    done = _piped(_plan(), "--out", "reports", folder=tmp_path)
    assert (tmp_path / "reports" / "stdin.report.md").is_file()
    (tmp_path / "own.spec").write_text("workload w { input = 50 tok; output = 5 tok }\n")
    text = _plan().replace("workload w {", 'use "own.spec" as own\nworkload w extends own.w {')
    assert _piped(text, folder=tmp_path).returncode == 0  # files are looked for from here
    wrong = _piped("study {", folder=tmp_path)
    assert wrong.returncode == 2
    assert "stdin.spec:1" in wrong.stderr


def test_every_command_of_a_spec_reads_standard_input(tmp_path) -> None:
    for command in ("check", "plan"):
        done = _piped(_plan(), command=(command,), folder=tmp_path)
        assert done.returncode == 0, done.stderr
    (tmp_path / "old.spec").write_text(_plan())
    new = _plan().replace("tpot <= 50 ms", "tpot <= 40 ms")
    done = _piped(new, "--no-causes", command=("diff", "old.spec"), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    wrong = _piped(_plan(), "--fix", command=("check",), folder=tmp_path)
    assert (wrong.returncode, "standard input" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("command", ["run", "check", "fmt"])
def test_standard_input_that_is_no_text(tmp_path, command) -> None:
    line = [sys.executable, "-m", "specc", command, "-"]
    done = subprocess.run(line, check=False, input=b"\xff\n", capture_output=True, cwd=tmp_path)
    assert done.returncode == 2
    assert b"'standard input' is not UTF-8 text" in done.stderr


def test_an_unmet_expectation_is_underlined(specc, tmp_path) -> None:
    line = 'expect best.throughput >= 1000000 tok/s else "the boss"'
    (tmp_path / "plan.spec").write_text(_plan(line))
    done = specc("run", "plan.spec", code=1)
    assert "--> plan.spec:7:5" in done.stderr
    assert line in done.stderr
    assert "^" * len(line.partition(" else")[0]) in done.stderr
    assert "= why: the boss" in done.stderr
    assert "beyond" in (tmp_path / "plan.report.md").read_text()


@pytest.mark.parametrize(
    ("condition", "margin"),
    [
        ("best.devices <= 2", 0.5),
        ("best.devices >= 1", 0.0),
        ("best.devices >= 2", -0.5),
        ("best.devices == 1", None),
        ("best.devices <= 2 and best.devices >= 1", None),
    ],
)
def test_margins(specc, tmp_path, condition: str, margin: float | None) -> None:
    (tmp_path / "plan.spec").write_text(_plan(f"expect {condition}"))
    specc("run", "plan.spec", "-q", code=0 if margin is None or margin >= 0 else 1)
    data = json.loads((tmp_path / "plan.result.json").read_text())
    assert data["studies"][0]["verdicts"][0]["margin"] == margin


def test_junit(specc, tmp_path) -> None:
    more = 'expect best.devices <= 2\n    expect best.devices >= 9 else "a < b & c"'
    (tmp_path / "plan.spec").write_text(_plan(more))
    specc("run", "plan.spec", "-q", "--junit", "out.xml", code=1)
    root = ET.parse(tmp_path / "out.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    cases = list(root.iter("testcase"))
    assert [case.get("name") for case in cases] == [
        "a configuration keeps the limits", "best.devices <= 2", "best.devices >= 9",
    ]  # fmt: skip
    (failure,) = root.iter("failure")
    assert (failure.get("message"), failure.text) == ("best.devices is 1", "a < b & c")


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(specc, shell: str) -> None:
    pytest.importorskip("shtab")
    said = specc("completion", shell).stdout
    assert all(name in said for name in COMMANDS)
    assert "--fail-on" in said or shell == "tcsh"
    if shell == "bash":
        checked = subprocess.run(["bash", "-n"], input=said, text=True, check=False)
        assert checked.returncode == 0


@pytest.mark.parametrize("example", ["chat", "pd", "trace", "compare"])
def test_init_from_an_example(specc, tmp_path, example: str) -> None:
    specc("init", "--from", example)
    assert "no errors" in specc("check", "plan.spec").stdout
    text = (tmp_path / "plan.spec").read_text()
    assert "traces/" not in text
    assert (tmp_path / "requests.csv").is_file() is (example == "trace")
    specc("fmt", "--check", "plan.spec")


def test_a_sample_of_a_trace_is_the_same_every_time_and_runs(specc, tmp_path) -> None:
    specc("init", "a/plan.spec", "--from", "trace")
    specc("init", "b/plan.spec", "--from", "trace")
    first, second = ((tmp_path / f / "requests.csv").read_text() for f in ("a", "b"))
    assert first == second
    specc("plan", "a/plan.spec")


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_workflows_keep_to_their_schemas(specc, tmp_path, ci: str) -> None:
    specc("init", "--ci", ci)
    (path,) = [*tmp_path.glob(".github/workflows/*.yml"), *tmp_path.glob(".gitlab-ci.yml")]
    pytest.importorskip("check_jsonschema")
    schema = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}[ci]
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "already exists" in specc("init", "other.spec", "--ci", ci, code=2).stderr
    path.unlink()
    specc("init", "--ci", ci)  # beside a plan that is there
    assert path.is_file()


def test_a_check_writes_junit_too(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(_plan("expect best.devices <= 2"))
    done = specc("run", "plan.spec", "--check", "--junit", "a.xml", "--csv", "b.csv", code=1)
    assert "out of date" in done.stderr
    assert not list(tmp_path.glob("*.report.*"))
    assert "testsuites" in (tmp_path / "a.xml").read_text()
    specc("run", "plan.spec", "-q")
    specc("run", "plan.spec", "--check", "--junit", "a.xml")


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not on the path")
def test_actionlint_finds_nothing() -> None:
    path = ROOT / "templates" / "ci" / "github.yml"
    done = subprocess.run(["actionlint", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_scripts_of_workflows_are_right(ci: str) -> None:
    import yaml

    data = yaml.safe_load((ROOT / "templates" / "ci" / f"{ci}.yml").read_text())
    steps = data["jobs"]["plans"]["steps"] if ci == "github" else data["plans"]["script"]
    scripts = [s.get("run", "") if isinstance(s, dict) else s for s in steps]
    program = Path(sys.executable).parent / "shellcheck"
    for script in filter(None, scripts):
        done = subprocess.run(
            [program, "-s", "bash", "-"], input=script, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_hooks_of_pre_commit_name_commands() -> None:
    import yaml

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {hook["entry"] for hook in hooks} == {
        "specc check", "specc fmt", "specc run --check",
    }  # fmt: skip
    assert all(hook["entry"].split()[1] in COMMANDS for hook in hooks)
