"""calibrate, validate and show, as a user runs them."""

import csv
import gzip
import io
import json

import pytest

from specc import library
from specc.calibration.served import SkippedRun, predict_serving
from specc.calibration.steps import predict_steps
from specc.calibration.write import HEAD
from specc.check import check
from specc.cli.commands.calibrate import _write
from specc.cli.measured import WrongInputError
from specc.cost.models import describe
from specc.workspace import Workspace
from tests.calibration.test_tables import PROFILE
from tests.conftest import ROOT

DEVICE = "atlas_800_a2_376t"


def test_calibrate_writes_a_device_that_a_spec_can_use(specc, tmp_path, reference_data) -> None:
    table = reference_data / "ascend_910b" / "MatMulV2.csv"
    said = specc("calibrate", str(table), "--device", DEVICE, "--name", "mine", "-o", "mine.spec")
    assert "gemm_bf16" in said.stdout
    assert "wrote mine.spec" in said.stdout
    (tmp_path / "plan.spec").write_text(
        'use "mine.spec" as own\nuse std.models\n'
        "workload w { input = 100 tok; output = 10 tok }\n"
        "deployment d { model = qwen3_8b; device = own.mine; devices = 1 }\n"
        "study s { workload = w; deployments = [d] }\n"
    )
    document, diagnostics = check(Workspace(tmp_path), tmp_path / "plan.spec")
    assert diagnostics == []
    data = document.studies[0].deployments[0].device.calibration
    assert data.gemm.fit.rows == 716
    unwritable = ("calibrate", str(table), "--device", DEVICE, "-o", "/proc/x.spec")
    assert "error[E0006]" in specc(*unwritable, code=2).stderr
    again = specc("validate", "ops", str(table), "--device", "mine", "--spec", "mine.spec",
                  "--format", "json")  # fmt: skip
    [found] = json.loads(again.stdout)["classes"]
    assert found["class"] == "gemm_bf16"
    assert found["mape"] < 9
    assert found["reference_mape"] > 20
    assert set(found) == {"class", "n", "mape", "median", "p90", "bias", "reference_mape"}


def test_tables_that_cannot_be_used(specc, tmp_path) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    (tmp_path / "few.csv").write_text(PROFILE)
    for arguments in (
        ("calibrate", "notes.csv", "--device", DEVICE),
        ("calibrate", "few.csv", "--device", DEVICE),
        ("validate", "ops", "notes.csv", "--device", DEVICE),
        ("validate", "ops", "few.csv", "--device", "test_device"),
        ("validate", "steps", "notes.csv"),
        ("validate", "serving", "notes.csv"),
    ):
        assert "error[E0010]" in specc(*arguments, code=2).stderr
    assert "error[E0001]" in specc("validate", "steps", "none.csv", code=2).stderr
    assert "error[E0203]" in specc("validate", "ops", "few.csv", "--device", "x", code=2).stderr


def test_steps_in_the_order_of_the_table(specc, tmp_path, reference_data) -> None:
    source = reference_data / "ascend_e2e" / "measured_steps.csv"
    rows = json.loads(specc("validate", "steps", str(source), "--format", "json").stdout)["rows"]
    with source.open() as file:
        cases = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == [case["case"] for case in cases]
    errors = [abs(row["predicted_ms"] / row["measured_ms"] - 1) for row in rows]
    assert sum(errors) / len(errors) <= 0.08
    inside = sum(row["p10_ms"] <= row["measured_ms"] <= row["p90_ms"] for row in rows)
    assert inside >= 0.8 * len(rows)
    odd = dict(cases[0], case="odd", model="nobody/none", measured_ms="")
    with (tmp_path / "odd.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(odd))
        writer.writeheader()
        writer.writerow(odd)
        writer.writerow(dict(cases[5], measured_ms=""))
    [lost, kept] = json.loads(specc("validate", "steps", "odd.csv", "--format", "json").stdout)[
        "rows"
    ]
    assert (lost["predicted_ms"], lost["case"]) == (None, "odd")
    assert "nobody/none" in lost["skipped"]
    assert kept["measured_ms"] is None
    assert kept["predicted_ms"] == pytest.approx(rows[5]["predicted_ms"])


def test_the_flat_model_of_planned_steps(specc, tmp_path, reference_data) -> None:
    lines = (reference_data / "msmodeling" / "forward_points.csv").read_text().splitlines()
    (tmp_path / "points.csv").write_text("\n".join(lines[:1] + lines[1::7]) + "\n")
    rows = json.loads(specc("validate", "steps", "points.csv", "--format", "json").stdout)["rows"]
    reader = csv.DictReader((tmp_path / "points.csv").read_text().splitlines())
    dense = 0
    for row, point in zip(rows, reader, strict=True):
        if "dense" in point["model"] and point["compile"] == "1":
            dense += 1
            assert row["reference_ms"] == pytest.approx(
                float(point["execution_time_ms"]), rel=0.005
            )
            assert row["measured_ms"] is None
    assert dense > 30


@pytest.mark.parametrize(
    ("model", "billions", "cached"),
    [("deepseek_v3", 671.03, 70272), ("Qwen/Qwen3-8B", 8.19, 147456), ("gpt_oss_20b", 20.9, 24576)],
)
def test_a_model_at_a_glance(specc, model: str, billions: float, cached: int) -> None:
    facts = json.loads(specc("show", "model", model, "--format", "json").stdout)
    assert facts["parameters"] / 1e9 == pytest.approx(billions, rel=0.001)
    assert facts["kv_bytes_per_token"] == cached
    assert "parameters" in specc("show", "model", model).stdout


def test_a_published_configuration_is_read_or_refused_by_name(reference_data) -> None:
    read, refused = [], []
    for file in sorted((reference_data / "model_configs").glob("*.json")):
        architecture = json.loads(file.read_text())["architectures"][0]
        try:
            facts = describe(library.model_from_config(file))
        except library.LibraryError as error:
            refused.append((file.name, str(error)))
            continue
        assert facts["architecture"] == architecture
        assert 0 < facts["active_parameters"] <= facts["parameters"]
        read.append(file.stem)
    assert len(read) >= 20, read
    assert all(f"'{name}'" in message for name, message in refused)


def test_a_model_from_its_configuration(specc, tmp_path, reference_data) -> None:
    file = reference_data / "model_configs" / "Qwen3-8B.json"
    assert file.exists()
    facts = json.loads(specc("show", "model", str(file), "--format", "json").stdout)
    assert facts["architecture"] == "Qwen3ForCausalLM"
    assert 0 < facts["active_parameters"] <= facts["parameters"]
    (tmp_path / "odd.json").write_text('{"architectures": ["BambaForCausalLM"]}')
    assert "'BambaForCausalLM'" in specc("show", "model", "odd.json", code=2).stderr
    assert "error[E0203]" in specc("show", "model", "nobody", code=2).stderr


def test_the_operator_that_bounds_decode(specc) -> None:
    spec = ROOT / "specs" / "deepseek-v3-supernode.spec"
    decode, prefill = json.loads(specc("show", "ops", str(spec), "--format", "json").stdout)[
        "steps"
    ]
    assert decode["operators"][0]["operator"] == "decode_attention"
    assert decode["operators"][0]["bound"] == "compute"  # one die has all heads
    for step in (decode, prefill):
        total = sum(row["total_ms"] for row in step["operators"])
        assert total == pytest.approx(step["total_ms"], rel=1e-9)
        assert sum(row["share"] for row in step["operators"]) == pytest.approx(1)


def test_a_table_without_a_kernel_of_use(specc, tmp_path) -> None:
    (tmp_path / "idle.csv").write_text("Type,Duration(us)\nHcclAllReduce,3\n")
    (tmp_path / "empty.csv").write_text("Type,Duration(us)\n")
    for name, said in (("idle.csv", "no row has a kernel"), ("empty.csv", "has no rows")):
        error = specc("validate", "ops", name, "--device", DEVICE, code=2).stderr
        assert "error[E0010]" in error
        assert said in error


def test_kernels_in_other_formats(specc, tmp_path) -> None:
    rows = list(csv.DictReader(PROFILE.splitlines()))
    (tmp_path / "k.csv").write_text(PROFILE)
    (tmp_path / "k.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "k.csv.gz").write_bytes(gzip.compress(PROFILE.encode()))
    found = [
        specc("validate", "ops", name, "--device", DEVICE, "--format", "json").stdout
        for name in ("k.csv", "k.jsonl", "k.csv.gz")
    ]
    assert len(set(found)) == 1


ODD = ("nan", "inf", "9" * 310, "9" * 5000, "-1", "0", "1e308", "0.5", "x", "", "9999999999", "1;2")


@pytest.mark.parametrize(
    ("table", "predict"),
    [
        ("ascend_e2e/measured_steps.csv", lambda text: predict_steps("t.csv", text)),
        (
            "ascend_e2e/measured_serving.csv",
            lambda text: list(predict_serving("t.csv", text, None)),
        ),
    ],
    ids=["steps", "serving"],
)
def test_odd_cells_leave_a_row_out_or_count(reference_data, table: str, predict) -> None:
    with (reference_data / table).open() as file:
        rows = list(csv.DictReader(file))[::-1]  # the last ones are quick to simulate
    row = next(row for row in rows if not _is_skipped(predict(_table([row]))[0]))
    odd = [dict(row, **{column: cell}) for column in row for cell in ODD]
    assert len(predict(_table(odd))) == len(odd)


def _is_skipped(found) -> bool:
    """Served runs that are predicted are tuples."""
    return isinstance(found, SkippedRun) or bool(getattr(found, "skipped", ""))


def _table(rows: list[dict[str, str]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def test_a_path_with_any_characters(specc, tmp_path) -> None:
    folder = tmp_path / 'q"u } #'
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["BambaForCausalLM"]}')
    said = specc("show", "model", f"{folder.name}/config.json", code=2).stderr
    assert "the architecture 'BambaForCausalLM' of 'config.json'" in said
    (folder / "mine.spec").write_text("use std.devices\ndevice mine extends h100 { }\n")
    (tmp_path / "k.csv").write_text(PROFILE)
    path = f"{folder.name}/mine.spec"
    specc("validate", "ops", "k.csv", "--device", "mine", "--spec", path, "--format", "json")


def test_calibrate_replaces_only_what_it_made(tmp_path) -> None:
    (tmp_path / "plan.spec").write_text("let a = 1\n")
    (tmp_path / "table.csv").write_text(PROFILE)
    (tmp_path / "mine.spec").write_text(f"{HEAD}a.csv\nlet a = 1\n")
    for name in ("plan.spec", "table.csv"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(WrongInputError, match="did not write it"):
            _write(tmp_path / name, "new\n")
        assert (tmp_path / name).read_bytes() == before
    for name in ("mine.spec", "other.spec"):
        _write(tmp_path / name, "new\n")
        assert (tmp_path / name).read_text() == "new\n"
    with pytest.raises(WrongInputError, match="no such file"):
        _write(tmp_path / "none" / "mine.spec", "new\n")
    with pytest.raises(WrongInputError, match="folder"):
        _write(tmp_path, "new\n")
