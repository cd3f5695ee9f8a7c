"""The public API: what `import specc` has, and the code of the README."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import specc
from specc.cost import CostModel, StepTable
from specc.cost.times import P10, P90
from specc.ir import Layout, Quantisation
from specc.plan import Plan
from tests.conftest import ROOT

DEVICE = "atlas_800_a3_752t_die"


def test_every_public_name_is_there_and_documented() -> None:
    assert set(dir(specc)) == set(specc.__all__)
    for name in specc.__all__:
        assert getattr(specc, name).__doc__
    with pytest.raises(AttributeError, match="nothing"):
        _ = specc.nothing


def test_importing_specc_imports_nothing_heavy() -> None:
    script = "import specc, sys; print(sorted(m for m in sys.modules if m.startswith('specc')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "['specc', 'specc._version']"


def test_the_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (ROOT / "README.md").read_text().partition("## From Python")[2]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    shutil.copytree(ROOT / "specs" / "std", tmp_path / "specs" / "std")
    shutil.copy(ROOT / "specs" / "qwen3-32b-chat.spec", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    found: dict[str, object] = {}
    exec(code[1], found)
    assert (tmp_path / "plan.result.json").exists()
    again = specc.load_results("plan.result.json")
    assert again.to_json() == (tmp_path / "plan.result.json").read_text(encoding="utf-8")


def test_a_result_file_becomes_a_frame_and_is_written_back(tmp_path: Path) -> None:
    shipped = ROOT / "specs" / "qwen3-32b-chat.result.json"
    results = specc.load_results(shipped)
    frame = results.frame()
    assert len(frame) == sum(len(study.candidates) for study in results.studies)
    best = results.studies[0].best
    assert best is not None
    row = frame[frame["task"] == best.instances[0].task].iloc[0]
    assert row["throughput"] == best.closed_form.throughput
    assert row["tp"] == best.instances[0].layout.tp
    assert results.to_json() == shipped.read_text(encoding="utf-8")


def test_wrong_specs_raise_with_their_diagnostics(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    path.write_text("let a = 1 +")
    session = specc.compile(path)
    assert session.document is None
    assert session.diagnostics
    with pytest.raises(specc.SpecError) as caught:
        _ = session.results
    assert caught.value.diagnostics == session.diagnostics


def test_overrides_are_those_of_set(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    session = specc.compile(str(path), ["chat.output=800tok"])
    assert session.document is not None
    assert session.document.studies[0].workload.output == 800
    assert session.results.header.overrides == ("chat.output=800tok",)


@pytest.mark.parametrize("phase", ["decode", "prefill"])
def test_the_time_of_a_step_is_that_of_the_cost_model(phase: str) -> None:
    found = specc.step_time(
        "Qwen/Qwen3-32B", DEVICE, devices=8, tp=4, phase=phase, batch=16, context=2048,
        quant="w8a8_dynamic",
    )  # fmt: skip
    deployment = specc.library.usual().deployment(
        "qwen3_32b", DEVICE, name="d", devices=8, quant=Quantisation.W8A8_DYNAMIC
    )
    steps = (
        StepTable.decoding(16, 2048, 128)
        if phase == "decode"
        else StepTable.prefilling(16, 2048, 2048, 128)
    )
    times = CostModel.of(deployment, Layout(4, 1, 2)).times(steps)
    assert found.seconds == times.total[0]
    assert (found.p10, found.p90) == (times.quantile(P10)[0], times.quantile(P90)[0])
    parts = found.compute + found.memory + found.communication + found.launch
    assert parts == pytest.approx(found.seconds)
    assert found.p10 < found.seconds < found.p90


def test_steps_grow_with_what_they_do() -> None:
    def seconds(**more) -> float:
        return specc.step_time("qwen3_8b", DEVICE, **more).seconds

    assert seconds(batch=64, context=4096) > seconds(batch=1, context=4096)
    assert seconds(batch=64, context=32768) > seconds(batch=64, context=4096)
    assert seconds(phase="prefill", context=4096) > seconds(context=4096)
    assert seconds(phase="prefill", context=4096, new=512) < seconds(phase="prefill", context=4096)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"tp": 3}, "E0439"),
        ({"tp": 0}, "E0402"),
        ({"devices": 0}, "E0402"),
        ({"devices": 3000}, "E0431"),
        ({"ep": 8}, "E0436"),
        ({"quant": "int8"}, "E0306"),
        ({"quant": "fp8"}, "E0432"),
        ({"phase": "both"}, "E0306"),
        ({"batch": 0}, "E0402"),
        ({"context": 10**12}, "E0402"),
        ({"new": 101, "context": 100}, "E0402"),
        ({"model": "qwen3_33b"}, "E0203"),
        ({"device": 'a"b\n'}, "E0203"),
    ],
)
def test_a_step_that_cannot_be_is_refused(more: dict, code: str) -> None:
    given = {"model": "qwen3_32b", "device": DEVICE, "devices": 8, "tp": 8, **more}
    with pytest.raises(specc.LibraryError) as caught:
        specc.step_time(given.pop("model"), given.pop("device"), **given)
    assert caught.value.diagnostic.code == code


@pytest.mark.parametrize("wrong", [1.5, True, "8", 4.0])
def test_sizes_are_whole_numbers(wrong: object) -> None:
    with pytest.raises(specc.LibraryError) as caught:
        specc.step_time("qwen3_8b", DEVICE, batch=wrong)
    assert caught.value.diagnostic.code == "E0301"


def test_an_exception_says_what_to_do() -> None:
    with pytest.raises(specc.LibraryError, match="did you mean 'qwen3_32b'"):
        specc.step_time("qwen3_32", DEVICE)


def test_one_override_is_a_text(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    assert specc.compile(path, "chat.output=800tok").overrides == ("chat.output=800tok",)


def test_servers_have_a_frame_without_rows() -> None:
    frame = specc.load_results(ROOT / "specs" / "admission-experiment.result.json").frame()
    assert len(frame) == 0
    assert {"deployment", "batch", "tpot"} <= set(frame.columns)


def test_another_plan_has_other_results(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    session = specc.compile(path)
    (study,) = session.plan.studies
    assert len(session.results.studies[0].candidates) == 4
    session.plan = Plan((attrs.evolve(study, tasks=study.tasks[:1]),))
    assert len(session.results.studies[0].candidates) == 1


def test_operators_of_an_instance_of_another_plan_are_refused(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    session = specc.compile(path)
    best = session.results.studies[0].best
    assert best is not None
    (own,) = best.instances
    assert session.operators(own)
    with pytest.raises(ValueError, match="another plan"):
        session.operators(attrs.evolve(own, task="none"))


def test_a_broken_file_of_a_library_is_told_each_time(tmp_path: Path) -> None:
    from specc.library import Library

    path = tmp_path / "broken.spec"
    path.write_text("model m { layers = \n}\n")
    library = Library()
    for _ in range(2):
        with pytest.raises(specc.LibraryError) as caught:
            library._load(path)
        assert caught.value.diagnostic.code == "E0101"
    assert library.model("qwen3_8b").layers == 36
