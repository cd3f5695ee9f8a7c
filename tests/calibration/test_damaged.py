"""Damaged tables of measurements: a diagnostic that names the place, and never a traceback."""

import csv
import gzip
import io
import random
from pathlib import Path

import pytest

from specc.cli.main import main

CELLS = [
    "", "-1", "0", "1e400", "nan", "inf", "9" * 30, "1e18", "1e-18", "x" * 300, "\x1b[31m",
    "\u202e", "=1+1", "1,2", "[1,2]", "128;64,128", '"', "0;0", "1e9;1e9", "-5;4", " 7 ",
    "None", "bf16",
]  # fmt: skip
TABLES = [
    ("ascend_910b", "ops"),
    ("msmodeling/forward_points.csv", "steps"),
    ("ascend_e2e/measured_serving.csv", "serving"),
    ("nvidia_kernels", "ops"),
    ("nvidia_kernels", "calibrate"),
    ("ascend_910b", "calibrate"),
    ("nvidia_e2e.csv", "serving"),
]
H200 = "h200_sxm.[agn]*.csv.gz"  # GEMM, attention, all-reduce and NCCL


def _text(file: Path) -> str:
    data = file.read_bytes()
    return (gzip.decompress(data) if file.suffix == ".gz" else data).decode()


def _damaged(text: str, generator: random.Random, most: int) -> str:
    header, *rows = csv.reader(io.StringIO(text))
    kept = [list(row) for row in generator.sample(rows, min(len(rows), most))]
    for _ in range(generator.choice([1, 2, 5])):
        row = generator.choice(kept)
        row[generator.randrange(len(row))] = generator.choice(CELLS)
    if generator.random() < 0.2:
        header[generator.randrange(len(header))] = generator.choice(["", header[0], "x\x1b"])
    written = io.StringIO()
    csv.writer(written).writerows([header, *kept])
    return written.getvalue()


@pytest.mark.parametrize(("place", "kind"), TABLES)
def test_damaged_tables(
    place: str,
    kind: str,
    reference_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = reference_data / place
    nvidia = place.startswith("nvidia_kernels")
    files = sorted(source.glob(H200 if nvidia else "*.csv")) if source.is_dir() else [source]
    monkeypatch.chdir(tmp_path)
    generator = random.Random(place + kind)
    device = ["--device", "h200" if nvidia else "atlas_800_a2_376t"]
    if kind in ("steps", "serving"):
        device = []
    command = ["calibrate"] if kind == "calibrate" else ["validate", kind]
    codes, most = set(), 2 if kind == "serving" else 40  # served runs are simulated
    for _ in range(60 if kind == "serving" else 25):
        Path("t.csv").write_text(_damaged(_text(generator.choice(files)), generator, most))
        codes.add(main([*command, "t.csv", *device]))
        said = "".join(capsys.readouterr())
        assert "Traceback" not in said
        assert not {"\x1b", "\u202e"} & set(said)
    assert codes == {0, 2}
