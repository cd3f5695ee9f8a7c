"""Served runs: what rows say, and what the simulation says of them."""

import csv
import json

import pytest

from specc.calibration.served import ServedPrediction, SkippedRun, predict_serving, summaries
from specc.calibration.served.cells import UnclearError
from specc.calibration.served.reading import read_run
from specc.ir import Execution, Phase
from specc.library import LibraryError

ROW = {
    "source": "SGLang-NPU perf test baseline",
    "url_or_repo_path": "",
    "hardware": "Atlas 800I A3",
    "n_devices": "16",
    "model": "Qwen/Qwen3-235B-A22B",
    "quant": "w8a8",
    "parallel": "TP16 DP16",
    "mode": "agg",
    "input_len": "3500",
    "output_len": "1500",
    "batch_or_concurrency": "64",
    "prefix_hit": "0",
    "mtp": "none",
    "ttft_ms": "",
    "tpot_ms": "40",
    "throughput_tok_s": "1500",
    "quality": "A: measured table",
    "notes": "",
}
VLLM = {"source": "vllm-ascend CI"}


def run_of(**changes: str):
    return read_run(2, {**ROW, **changes}, None)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("vllm-ascend/DeepSeek-R1-0528-W8A8", "deepseek_v3"),
        ("Eco-Tech/DeepSeek-V3.1-Terminus-w8a8-mtp-QuaRot", "deepseek_v3"),
        ("DeepSeek-R1/V3", "deepseek_v3"),
        ("DeepSeek-V3.2-Exp", "deepseek_v3_2"),
        ("Eco-Tech/Kimi-K2.7-Code-w4a8", "kimi_k2_5"),
        ("Eco-Tech/GLM-5.2-w8a8c8", "glm_5"),
        ("vllm-ascend/MiniMax-M2.7-w8a8-QuaRot", "minimax_m2_5"),
        ("qwen3_coder_next", "qwen3_next_80b_a3b"),
        ("Eco-Tech/Qwen3.5-397B-A17B-w8a8-mtp", "qwen3_5_397b_a17b"),
    ],
)
def test_names_of_models(name: str, model: str) -> None:
    assert run_of(model=name, parallel="TP16 DP1 EP", **VLLM).deployment.model.name == model


@pytest.mark.parametrize(
    ("text", "model", "drafted", "acceptance", "assumed"),
    [
        ("none", "deepseek_v3", 0, (), ""),
        ("MTP1 (accept 0.7)", "deepseek_v3", 1, (0.7,), ""),
        ("suffix, 3 tokens, accept 50.0%", "deepseek_v3", 3, None, ""),
        ("NEXTN:draft4", "deepseek_v3", 3, (0.85, 0.7225, 0.614125), "nextn"),  # one is verified
        ("deepseek_mtp:3", "glm_5", 3, (0.7, 0.49, 0.343), "deepseek_mtp"),
        ("mtp:1", "kimi_k2_5", 1, (0.55,), "mtp"),
        ("eagle3:3", "deepseek_v3", 3, (0.7, 0.49, 0.343), "eagle3"),
    ],
)
def test_drafts(
    text: str, model: str, drafted: int, acceptance: tuple[float, ...] | None, assumed: str
) -> None:
    """Where a row states no acceptance, one for its method stands in, and is named."""
    run = run_of(mtp=text, model=model, **VLLM, parallel="TP16 DP1 EP")
    assert (run.drafted, run.assumed) == (drafted, assumed)
    speculative = run.deployment.engine.speculative
    if acceptance is None:
        assert sum(speculative.acceptance) == pytest.approx(1.5)
    else:
        assert (speculative.acceptance if drafted else ()) == pytest.approx(acceptance)


@pytest.mark.parametrize("text", ["n/s", "sometimes", "mtp:99"])
def test_drafts_that_are_not_clear(text: str) -> None:
    with pytest.raises(UnclearError):
        run_of(mtp=text)


def test_layouts_as_sources_write_them() -> None:
    """SGLang's DP is within its TP; vLLM's is beside it, and nodes may be one instance."""
    (part,) = run_of().parts
    assert (part.layout.tp, part.layout.dp, part.layout.ep) == (1, 16, 16)
    (part,) = run_of(parallel="TP4 DP2", n_devices="8", **VLLM).parts
    assert (part.layout.tp, part.layout.dp, part.layout.ep, part.layout.moe_tp) == (4, 2, 1, 8)
    apart = {"mode": "pd-disagg(total)", "n_devices": "64", "model": "deepseek_r1"}
    text = "n0(prefill):TP8 DP2 EP | n1(prefill):TP8 DP2 EP | n2(decoder):TP1 DP32 EP | "
    text += "n3(decoder):TP1 DP32 EP"
    prefill, decode = run_of(parallel=text, **apart, **VLLM).parts
    assert (prefill.phase, prefill.layout.tp, prefill.layout.dp, prefill.count) == (
        Phase.PREFILL, 8, 2, 2,
    )  # fmt: skip
    assert (decode.layout.dp, decode.layout.ep, decode.count) == (32, 32, 1)
    prefill, decode = run_of(
        parallel="PD: TP16/32 DP2/16", **apart, notes="max_running=4/64; num_prompts=32"
    ).parts
    assert (prefill.layout.tp, prefill.layout.dp, prefill.count) == (8, 2, 2)
    assert (decode.layout.tp, decode.layout.dp, decode.sequences) == (2, 16, 4)


def test_devices_and_limits_of_a_row() -> None:
    notes = (
        "num_prompts=512; request_rate=11.2; max_num_batched_tokens=4096; max_num_seqs=16; eager"
    )
    run = run_of(
        hardware="Atlas 800 A3 (CI A3 cluster); Atlas 800 A3-560T (CI)",
        notes=notes, parallel="TP16 DP1 EP", **VLLM,
    )  # fmt: skip
    assert run.deployment.device.name == "atlas_800_a3_560t_die"
    assert (run.parts[0].budget, run.parts[0].sequences) == (4096, 16)
    assert (run.prompts, run.rate, run.execution) == (512, 11.2, Execution.EAGER)


def test_the_bound_of_a_test_is_no_measurement() -> None:
    bound = "B: CI baseline; tpot column is the asserted upper bound, not always the measurement"
    assert set(run_of(quality=bound).measured) == {"throughput"}
    with pytest.raises(UnclearError, match="was measured"):
        run_of(quality=bound, throughput_tok_s="")


def table(*rows: dict[str, str]) -> str:
    return "\n".join([",".join(ROW), *(",".join(f'"{v}"' for v in row.values()) for row in rows)])


def test_a_run_is_a_closed_loop_of_its_clients() -> None:
    """Little's law: as many requests are under way as there are clients, but for the ends."""
    rows = [
        {**ROW, "model": "Qwen3-8B", "n_devices": "1", "parallel": "TP1", "ttft_ms": "100"},
        {**ROW, "batch_or_concurrency": ""},
    ]
    found, skipped = predict_serving("t.csv", table(*rows), None)
    assert isinstance(skipped, SkippedRun)
    assert (skipped.line, skipped.reason) == (3, "the concurrency is not given, or out of range")
    by_metric = {one.metric: one for one in found}
    rate = by_metric["throughput"].predicted / 1500
    latency = by_metric["ttft"].predicted + 1499 * by_metric["tpot"].predicted
    assert rate * latency == pytest.approx(64, rel=0.1)
    for one in found:
        assert one.p10 < one.predicted < one.p90
        assert one.method == "simulation"


def test_summaries() -> None:
    def one(predicted: float, measured: float, assumed: str = "") -> ServedPrediction:
        bounds = predicted * 0.8, predicted * 1.25
        return ServedPrediction(
            2, "s", "m", "w", "A", "tpot", predicted, *bounds, measured, "simulation", assumed
        )

    (found,) = summaries([one(1, 1), one(2, 1), one(3, 4), one(5, 5, "mtp")], "source")
    assert (found.n, found.ratio) == (4, 1.0)
    assert found.error == pytest.approx((0.125, 1.25 / 4))
    assert found.inside == pytest.approx(1 / 3)  # the assumed one does not count
    assert found.order == pytest.approx(0.9487, abs=1e-3)


def published(reference_data) -> list[dict[str, str]]:
    with (reference_data / "ascend_e2e" / "measured_serving.csv").open() as file:
        return list(csv.DictReader(file))


def test_which_published_runs_can_be_read(reference_data) -> None:
    """Of 313 rows at least 220, the others with a reason."""
    read, reasons = 0, []
    for line, row in enumerate(published(reference_data), start=2):
        try:
            read += bool(read_run(line, row, None))
        except (UnclearError, LibraryError) as error:
            reasons.append(str(error))
    assert read >= 220
    assert read + len(reasons) == 313
    assert all(reasons)


def test_predictions_of_published_runs(reference_data, specc, tmp_path) -> None:
    """Every sixth of them: what was measured stands beside it, in SI units, within its band."""
    rows = published(reference_data)[::6]
    with (tmp_path / "runs.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = json.loads(specc("validate", "serving", "runs.csv", "--format", "json").stdout)
    predicted = {row["line"] for row in found["rows"]}
    assert len(predicted) + len(found["skipped"]) == len(rows)
    assert all(entry["reason"] for entry in found["skipped"])
    for row in found["rows"]:
        said = rows[row["line"] - 2]
        assert row["p10"] <= row["predicted"] <= row["p90"]
        scale = 1 if row["metric"] == "throughput" else 1e-3
        column = "throughput_tok_s" if scale == 1 else f"{row['metric']}_ms"
        assert row["measured"] == pytest.approx(float(said[column]) * scale, abs=1e-6)
        assert bool(row["assumed"]) <= (said["mtp"].lower() not in ("none", ""))
    of = [ServedPrediction(**row) for row in found["rows"] if row["metric"] == "throughput"]
    (eager,) = (s for s in summaries(of, "software") if s.name == "vllm_ascend, eager")
    assert eager.n >= 5
    assert eager.error[0] < 0.3
