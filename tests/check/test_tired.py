"""Twenty mistakes that a tired engineer makes in one good spec, each with its message.

Read every message aloud before accepting a snapshot: would it help at six in the evening?
"""

from pathlib import Path

import pytest

from specc.check import check
from specc.diagnostics.render import render_terminal
from specc.workspace import Workspace

GOOD = """\
use std.devices
use std.models

let nodes = 1

workload chat {
    input      = 3500 tok
    output     = 1500 tok
    prefix_hit = 30%
    slo {
        ttft <= 15 s
        tpot <= 50 ms
    }
}

deployment a3 {
    model   = qwen3_32b
    quant   = w8a8_dynamic
    device  = atlas_800_a3_752t_die
    devices = 8 * nodes
    parallel { tp = [1, 2, 4, 8] }
    engine { reserved_memory = 10 GiB }
}

study server_choice {
    workload    = chat
    deployments = [a3]
}
"""

BINS = """\
    requests {
        | share | input     | output |
        | 50%   | 1 .. 4Ki  | 512    |
        | 50%   | 2Ki .. 8Ki | 512   |
    }
    slo {"""

STUDY = "study server_choice { workload = chat; deployments = a3 }"

# name: what was there, what the tired engineer wrote
MISTAKES = {
    "wrong unit": ("tpot <= 50 ms", "tpot <= 50 MB"),
    "missing unit": ("tpot <= 50 ms", "tpot <= 50"),
    "unit of another tool": ("input      = 3500 tok", "input      = 3500 tokens"),
    "missing brace": ("        tpot <= 50 ms\n    }\n}", "        tpot <= 50 ms\n}"),
    "misspelt field": ("prefix_hit = 30%", "prefix_hits = 30%"),
    "misspelt kind": ("workload chat", "workloda chat"),
    "overlapping bins": ("    slo {", BINS),
    "devices that tp cannot divide": ("8 * nodes", "8 * nodse"),
    "model name with a typo": ("qwen3_32b", "qwen3-32b"),
    "8k for 8192": ("output     = 1500 tok", "output     = 8k tok"),
    "two studies of one name": ("study server_choice {", f"{STUDY}\nstudy server_choice {{"),
    "file that uses itself": ("use std.models", 'use std.models\nuse "plan.spec"'),
    "prefix cache of 130 %": ("30%", "130%"),
    "equals in an objective": ("ttft <= 15 s", "ttft = 15 s"),
    "objective the wrong way round": ("ttft <= 15 s", "15 s >= ttft"),
    "percentile": ("ttft <= 15 s", "ttft.p80 <= 15 s"),
    "colon as in YAML": ("quant   = w8a8_dynamic", "quant: w8a8_dynamic"),
    "comma at the end as in JSON": ("quant   = w8a8_dynamic", "quant   = w8a8_dynamic,"),
    "quotes around a choice": ("w8a8_dynamic", '"w8a8_dynamic"'),
    "name of another tool": ("atlas_800_a3_752t_die", "ATLAS_800_A3_752T_128G"),
    "missing library": ("use std.devices\n", ""),
    "context too long": ("3500 tok", "64Ki tok"),
    "field in the wrong block": ("    parallel { tp = [1, 2, 4, 8] }", "    tp = [1, 2, 4, 8]"),
    "slashes for a comment": ("let nodes = 1", "let nodes = 1  // one server"),
}  # fmt: skip


def test_the_spec_is_good(tmp_path: Path, monkeypatch) -> None:
    assert _messages(GOOD, tmp_path, monkeypatch) == ""


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, tmp_path: Path, monkeypatch, snapshot) -> None:
    before, after = MISTAKES[name]
    assert GOOD.count(before) >= 1
    assert _messages(GOOD.replace(before, after, 1), tmp_path, monkeypatch) == snapshot


def _messages(text: str, folder: Path, monkeypatch) -> str:
    (folder / "plan.spec").write_text(text)
    monkeypatch.chdir(folder)
    return render_terminal(check(Workspace(Path()), Path("plan.spec"))[1], color=False)
