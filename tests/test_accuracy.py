"""The table of accuracy in `specs/README.md` is what validation finds.

python -m tests.test_accuracy      writes it
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import REFERENCE, ROOT

README = ROOT / "specs" / "README.md"
MARKED = re.compile(r"(<!-- specc validate -->\n).*?(<!-- end -->)", re.DOTALL)


def _json(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "specc", "validate", *arguments, "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _tables(reference: Path) -> str:
    kernels = [str(path) for path in sorted((reference / "ascend_910b").glob("*.csv"))]
    classes = _json("ops", *kernels, "--device", "atlas_800_a2_376t")["classes"]
    lines = [
        "| kernels of a 910B | rows | mean error | median | p90 | bias | flat model, mean |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {c['class']} | {c['n']} | {c['mape']:.1f} % | {c['median']:.1f} % | "
            f"{c['p90']:.1f} % | {c['bias']:+.1f} % | {c['reference_mape']:.1f} % |"
            for c in classes
        ),
        "",
        "| step measured on a server | measured ms | specc ms | p10–p90 | error | flat model ms | "
        "error |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in _json("steps", str(reference / "ascend_e2e" / "measured_steps.csv"))["rows"]:
        measured = row["measured_ms"]
        lines.append(
            f"| {row['case']} | {measured:.1f} | {row['predicted_ms']:.1f} | "
            f"{row['p10_ms']:.1f}–{row['p90_ms']:.1f} | "
            f"{(row['predicted_ms'] / measured - 1) * 100:+.1f} % | {row['reference_ms']:.1f} | "
            f"{(row['reference_ms'] / measured - 1) * 100:+.1f} % |"
        )
    return "\n".join(lines)


def _renewed(text: str, reference: Path) -> str:
    return MARKED.sub(lambda match: f"{match[1]}\n{_tables(reference)}\n\n{match[2]}", text)


def test_the_table_is_current(reference_data: Path) -> None:
    text = README.read_text(encoding="utf-8")
    assert MARKED.search(text)
    assert _renewed(text, reference_data) == text


if __name__ == "__main__":
    README.write_text(_renewed(README.read_text(encoding="utf-8"), REFERENCE), encoding="utf-8")
