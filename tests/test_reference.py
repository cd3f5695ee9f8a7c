"""The reference in `grammar/README.md` is the one that the vocabulary gives.

python -m tests.test_reference      writes it
"""

import re

import pytest

from specc.check import check
from specc.diagnostics.rules import RULES
from specc.ir.documentation import FieldPage, markdown, page, pages
from specc.workspace import Workspace
from tests.conftest import ROOT

README = ROOT / "grammar" / "README.md"
MARKED = re.compile(r"(<!-- specc docs -->\n).*?(<!-- end -->)", re.DOTALL)


def _renewed(text: str) -> str:
    return MARKED.sub(lambda match: f"{match[1]}\n{markdown()}\n{match[2]}", text)


def test_the_reference_is_current() -> None:
    text = README.read_text(encoding="utf-8")
    assert MARKED.search(text)
    assert _renewed(text) == text


def test_one_entry() -> None:
    assert page("workload.slo.tpot") == FieldPage(
        "workload.slo.tpot",
        "upper limit, time (ns, us, ms, s, min, h)",
        "no limit",
        "time per output token",
        "tpot <= 50 ms",
    )
    assert page("device.level.latency").type == "time (ns, us, ms, s, min, h), ≥ 0"
    assert page("deployment.engine.reserved_memory").default == "auto"
    assert page("none") is None


REQUIRED = """
use std.calibrations
use std.devices
use std.models
workload chat { input = 3500 tok; output = 1500 tok }
calibration my_calibration extends ascend_910b { }
device my_device extends test_device { }
deployment my_deployment { model = qwen3_8b; device = test_device; devices = 8 }
server my_server { step_cost {
    | step    | size | time  |
    | prefill | 1    | 25 ms |
    | decode  | 1    | 25 ms |
} }
study my_study { workload = chat; deployments = my_deployment }
"""


# Models that have the blocks which others lack.
MODELS = {
    "latent": "deepseek_v3_2",
    "indexer": "deepseek_v3_2",
    "sliding": "gpt_oss_20b",
    "linear": "qwen3_5_35b_a3b",
    "vision": "qwen3_5_35b_a3b",
    "experts": "qwen3_5_35b_a3b",
    "compressed": "deepseek_v4_flash",
    "block_sparse": "minimax_m3",
    "mamba": "nemotron_3_nano_30b_a3b",
    "published": "qwen3_8b",
}


@pytest.mark.parametrize("entry", list(pages()), ids=lambda p: p.path)
def test_every_example_is_accepted(entry: FieldPage, tmp_path) -> None:
    """The example of a field, set over a complete block, gives no error but a missing file."""
    kind, *blocks = entry.path.split(".")
    if not blocks or "…" in entry.example or entry.example.startswith("a cell"):
        return
    statement = entry.example
    for block in reversed(blocks[:-1]):
        name = {"level": "level node", "class": "class mine"}.get(block, block)
        statement = f"{name} {{ {statement} }}"
    model = MODELS.get(blocks[0], "qwen3_8b")
    target = {"workload": "chat", "model": model}.get(kind, f"my_{kind}")
    text = REQUIRED + f"{kind} sample extends {target} {{ {statement} }}\n"
    path = tmp_path / "plan.spec"
    path.write_text(text)
    _, diagnostics = check(Workspace(tmp_path), path)
    errors = [d for d in diagnostics if d.is_error]
    # Values alone are tried here: a config.json that is not there, heads that do not divide, and
    # what a block needs besides are other matters.
    others = (
        {"E0401"}
        if {"images", "speculative", "fleet", "simulate", "class", "served"} & set(blocks)
        else set()
    )
    others |= {"E0458"} if blocks[-1] == "version" else set()
    others |= {"E0001", "E0407", "E0501", *RULES["E0406"].replaced_by}
    assert {d.code for d in errors} <= others, errors


if __name__ == "__main__":
    README.write_text(_renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
