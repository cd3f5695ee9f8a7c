"""Result files load again, to the byte; what is no result file is refused by name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from specc.ir.json import to_json
from specc.results import Results, ResultsError, load_results, rounded
from specc.session import Session
from tests.conftest import ROOT

SHIPPED = sorted((ROOT / "specs").glob("*.result.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_file_is_written_again_to_the_byte(path: Path) -> None:
    assert load_results(path).to_json() == path.read_text(encoding="utf-8")


def test_what_was_found_is_loaded_again(tmp_path: Path, small_spec) -> None:
    """Floats are rounded in the file, and all else is equal: the study, too."""
    spec = tmp_path / "plan.spec"
    spec.write_text(small_spec())
    found = Session(spec, ["chat.output=800tok"]).results
    path = tmp_path / "plan.result.json"
    path.write_text(found.to_json(), encoding="utf-8")
    loaded = load_results(path)
    assert loaded.header == found.header
    assert loaded.header.overrides == ("chat.output=800tok",)
    assert [s.study for s in loaded.studies] == [s.study for s in found.studies]
    assert (loaded.feasible, loaded.as_expected) == (found.feasible, found.as_expected)
    assert [c.instance.task for c in loaded.studies[0].candidates] == [
        c.instance.task for c in found.studies[0].candidates
    ]


def test_expectations_keep_their_condition(tmp_path: Path, small_spec) -> None:
    spec = tmp_path / "plan.spec"
    text = small_spec()
    end = text.rindex("}")
    condition = "best.devices <= 8 and best.tpot + 1 ms <= 60 ms"
    spec.write_text(f'{text[:end]}; expect {condition} else "the team" }}')
    results = Session(spec).results
    path = tmp_path / "plan.result.json"
    path.write_text(results.to_json())
    (expectation,) = load_results(path).studies[0].study.expectations
    assert expectation == results.studies[0].study.expectations[0]
    assert expectation.condition.text == condition


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "old.result.json"
    path.write_text(SHIPPED[0].read_text())
    return path


def changed(path: Path, change) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def refused(path: Path) -> tuple[str, str, str]:
    with pytest.raises(ResultsError) as caught:
        load_results(path)
    diagnostic = caught.value.diagnostic
    assert diagnostic.code == "E0012"
    return diagnostic.message, diagnostic.why, diagnostic.help


@pytest.mark.parametrize("format_", [2, 3, 5, "4", 4.0, None, [4]])
def test_another_format_is_refused_by_name(saved: Path, format_: object) -> None:
    changed(saved, lambda data: data.update(format=format_))
    message, _, help_ = refused(saved)
    assert "'old.result.json'" in message
    assert f"format {json.dumps(format_)}" in message
    assert "format 4" in message
    assert "specc run" in help_


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "[]", "{}", '{"format": 4}', '{"format": 4, "studies": 7}', "[" * 100_000],
)
def test_what_is_no_result_file_is_refused(saved: Path, text: str) -> None:
    saved.write_text(text)
    assert "is not a result file" in refused(saved)[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(more=1),
        lambda data: data.pop("inputs"),
        lambda data: data["studies"][0].pop("candidates"),
        lambda data: data["studies"][0].update(omitted="1"),
        lambda data: data["studies"].append({}),
        lambda data: data["studies"].append(7),
        lambda data: data["studies"][0]["study"]["workload"].update(input=1.5),
    ],
)
def test_a_damaged_file_is_refused(saved: Path, change) -> None:
    changed(saved, change)
    message, why, _ = refused(saved)
    assert "is not a result file" in message
    assert why


def test_a_missing_file_a_folder_and_a_binary_are_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\0\1\2")
    for path in (tmp_path / "none.json", tmp_path, binary):
        assert refused(path)[0]


def test_results_are_read_without_numpy() -> None:
    script = (
        "import sys; from specc.results import load_results; "
        f"load_results({str(SHIPPED[0])!r}).to_json(); "
        "print([name for name in ('numpy', 'pandas', 'lark') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_results_are_data_to_the_last_leaf() -> None:
    """Nothing but what JSON has: no arrays, no functions, no numpy numbers."""

    def walk(value: object) -> None:
        if isinstance(value, dict):
            assert all(type(key) is str for key in value)
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)
        else:
            assert value is None or type(value) in (str, int, float, bool)

    found: Results = Session(ROOT / "specs" / "qwen3-32b-test-device.spec").results
    walk(to_json(found))


def test_a_candidate_is_a_line(tmp_path: Path, small_spec) -> None:
    (tmp_path / "plan.spec").write_text(small_spec())
    results = Session(tmp_path / "plan.spec").results
    lines = [line.strip().removesuffix(",") for line in results.to_json().splitlines()]
    for candidate in json.loads(results.to_json())["studies"][0]["candidates"]:
        assert json.dumps(candidate, ensure_ascii=False) in lines


@pytest.mark.parametrize("name", ["qwen3-32b-test-device", "admission-experiment", "vision-chat"])
def test_what_was_found_is_rounded_as_it_is_written(name: str) -> None:
    """With every float in it, however deep; what was asked keeps all its digits."""
    found = Session(ROOT / "specs" / f"{name}.spec").results
    written = json.loads(found.to_json())["studies"]
    for study, own in zip(to_json(found.studies), written, strict=True):
        asked, recommended = study.pop("study"), own.pop("recommendation")
        feasible = [found for found in own["configurations"] if not found["misses"]]
        assert recommended == (feasible[0] if feasible else None)
        assert json.dumps(own.pop("study")) == json.dumps(asked)
        assert json.dumps(own) == json.dumps(rounded(study))
        assert json.dumps(own) != json.dumps(study)
