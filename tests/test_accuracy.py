"""The tables of accuracy in `specs/README.md` are what fits and validation find.

python -m tests.test_accuracy      writes them
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from specc import library
from specc.ir import CalibrationData, Device
from tests.bench.accuracy import left_out_steps
from tests.conftest import REFERENCE, ROOT

README = ROOT / "specs" / "README.md"
MARKED = re.compile(r"(<!-- specc validate -->\n).*?(<!-- end -->)", re.DOTALL)

# Blocks of a calibration, as a table of kernels calls them.
CLASSES = {
    "gemm": "GEMM in 16 bit",
    "gemm_int8": "GEMM in 8 bit",
    "prefill_attention": "prefill attention",
    "decode_attention": "decode attention",
    "experts": "experts in 16 bit",
    "experts_int8": "experts in 8 bit",
    "collectives": "collectives",
    "linear_attention": "linear attention",
    "vector": "elementwise",
}
NAMES = {
    "gemm_bf16": "gemm",
    "gemm_w8a8": "gemm_int8",
    "moe_bf16": "experts",
    "moe_w8a8": "experts_int8",
}


def _json(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "specc", "validate", *arguments, "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _kernels(device: str, files: list[Path]) -> Iterator[str]:
    data = library.device(device).calibration
    seen = _json("ops", *map(str, files), "--device", device)["classes"]
    for found in seen:
        block = NAMES.get(found["class"], found["class"])
        fit = getattr(data, block).fit
        flat = found["reference_mape"]
        cells = (
            CLASSES[block],
            str(found["n"]),
            f"{fit.mean_error:.1%}".replace("%", " %"),
            f"{fit.median_error:.1%}".replace("%", " %"),
            f"{found['mape']:.1f} %",
            f"{found['median']:.1f} %",
            "" if flat is None else f"{flat:.1f} %",
        )
        yield f"| {' | '.join(cells)} |"


def _measured(data: CalibrationData) -> tuple[list[str], list[str]]:
    """Return what a calibration has of measurements, and what is assumed."""
    fits = {name: getattr(data, block).fit for block, name in CLASSES.items()}
    known = [name for name, fit in fits.items() if fit.rows]
    return known, [name for name in fits if name not in known]


def _devices(devices: Sequence[Device]) -> Iterator[str]:
    """One row for the devices that rest on the same measurements alike."""
    alike: dict[tuple[str, str, float], list[str]] = {}
    for device in devices:
        data = device.calibration
        how = "" if data is None else "measured" if data.device == device.name else "scaled"
        base = data.device if data else ""
        key = (base, how, device.calibration_spread or 0.0)
        alike.setdefault(key, []).append(f"`{device.name}`")
    for (base, how, spread), names in alike.items():
        row = f"| {', '.join(names)} | "
        if not how:
            yield f"{row}peaks, flat efficiencies of the published planner | | |"
            continue
        known, assumed = _measured(library.device(base).calibration)
        words = ", ".join(known) if how == "measured" else f"scaled from `{base}` by peaks"
        more = f"{spread:.0%}".replace("%", " %") if spread else ""
        yield f"{row}{words} | {', '.join(assumed)} | {more} |"


def _served(data: CalibrationData) -> Iterator[str]:
    served = data.served
    for name in ("vllm", *(f.name for f in served.__attrs_attrs__ if f.name != "vllm")):
        rule = getattr(served, name)
        if not hasattr(rule, "overhead"):
            continue
        wait = f"{rule.request_time * 1e3:.0f} ms" if rule.request_time else ""
        yield (
            f"| {name} | {rule.fit.rows} | {rule.overhead:.2f} | {wait} | "
            f"{rule.fit.median_error:.0%} | {rule.fit.mean_error:.0%} | {rule.spread:.2f} |"
        ).replace("%", " %")


def _tables(reference: Path) -> str:
    head = "| rows | unseen, mean | median | seen, mean | median | flat model, mean |"
    rule = "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"

    def of_gpu(device: str) -> list[Path]:
        return sorted(
            path
            for name in ("gemm.*", "attention.*", "nccl.*", "allreduce.custom*")
            for path in (reference / "nvidia_kernels").glob(f"{device}_sxm.{name}")
        )

    lines = [
        f"| kernels of a 910B {head}",
        rule,
        *_kernels("atlas_800_a2_376t", sorted((reference / "ascend_910b").glob("*.csv"))),
        "",
        f"| kernels of an H200 {head}",
        rule,
        *_kernels("h200", of_gpu("h200")),
        "",
        f"| kernels of a B200 {head}",
        rule,
        *_kernels("b200", of_gpu("b200")),
        "",
        "| step measured on a server | measured ms | specc, its model left out | error | in band "
        "| specc, in sample | error | flat model, error |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    rows = _json("steps", str(reference / "ascend_e2e" / "measured_steps.csv"))["rows"]
    for left, row in zip(left_out_steps(), rows, strict=True):
        assert left.case == row["case"]
        measured = left.measured
        lines.append(
            f"| {row['case']} | {measured:.1f} | {left.predicted:.1f} | "
            f"{(left.predicted / measured - 1) * 100:+.1f} % | {'yes' if left.inside else 'no'} | "
            f"{row['predicted_ms']:.1f} | {(row['predicted_ms'] / measured - 1) * 100:+.1f} % | "
            f"{(row['reference_ms'] / measured - 1) * 100:+.1f} % |"
        )
    for title, name in (
        ("engines on NPUs", "atlas_800_a2_376t"),
        ("engines on H100 and H200", "h200"),
    ):
        data = library.device(name).calibration
        lines += [
            "",
            f"| {title} | runs | overhead | a request | unseen, median | mean | spread |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *_served(data),
        ]
    lines += [
        "",
        "| device | measured, or what it takes | assumed | added spread |",
        "| --- | --- | --- | ---: |",
        *_devices([library.device(name) for name in library.devices()]),
    ]
    return "\n".join(lines)


def _renewed(text: str, reference: Path) -> str:
    return MARKED.sub(lambda match: f"{match[1]}\n{_tables(reference)}\n\n{match[2]}", text)


def test_the_table_is_current(reference_data: Path) -> None:
    text = README.read_text(encoding="utf-8")
    assert MARKED.search(text)
    assert _renewed(text, reference_data) == text


if __name__ == "__main__":
    README.write_text(_renewed(README.read_text(encoding="utf-8"), REFERENCE), encoding="utf-8")
