"""Random plans, as fields that a rule may change, and what comes of them."""

import random
import tempfile
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from specc.results import Configuration, StudyResult
from specc.session import Session

MODELS = ("qwen3_4b", "qwen3_8b", "qwen3_14b", "qwen3_32b", "qwen3_30b_a3b", "llama3_1_8b")
DEVICES = ("atlas_800_a2_376t", "atlas_800_a3_752t_die", "h100")

TEXT = """use std.devices
use std.models
device own extends {device} {{ {faster} }}
workload w {{
    input = {prompt} tok; output = {output} tok; {workload}
    slo {{ {slo} }}
}}
deployment d {{
    model = {model}; quant = {quant}; device = own; devices = {devices}
    formats {{ kv_cache = {cache} }}
    parallel {{ tp = {tp}{experts} }}
    engine {{ chunk_budget = {budget} tok; {engine} }}
    {deployment}
}}
study s {{
    workload = w; deployments = d
    {study}
}}
"""


@frozen
class Plan:
    """A plan for one instance or a fleet; every field stands in its text as it is."""

    model: str
    device: str
    devices: int
    prompt: int
    output: int
    tp: str
    experts: str = ""
    quant: str = "w8a8_dynamic"
    cache: str = "bf16"
    budget: int = 8192
    slo: str = "tpot <= 60 ms"
    workload: str = ""
    engine: str = ""
    deployment: str = ""
    study: str = ""
    faster: str = ""

    def but(self, **changes: Any) -> "Plan":
        """Return the same plan with other fields."""
        return evolve(self, **changes)

    @property
    def text(self) -> str:
        """The spec."""
        names = self.__annotations__
        return TEXT.format(**{name: getattr(self, name) for name in names})

    @property
    def result(self) -> StudyResult:
        """What comes of it."""
        return result_of(self.text)

    @property
    def best(self) -> Configuration | None:
        """What it recommends; None if nothing is feasible."""
        return self.result.best


def result_of(text: str) -> StudyResult:
    """Return what comes of a spec with one study."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.spec"
        path.write_text(text)
        (found,) = Session(path).results.studies
        return found


def drawn(draw: random.Random) -> Plan:
    """Draw a plan that fits into its devices."""
    model = draw.choice(MODELS)
    large = model in ("qwen3_32b", "qwen3_30b_a3b")
    devices = draw.choice([2, 4] if large else [1, 2, 4])
    return Plan(
        model=model,
        device=draw.choice(DEVICES),
        devices=devices,
        prompt=round(2 ** draw.uniform(7, 12.5)),
        output=round(2 ** draw.uniform(5, 9)),
        tp=str(devices),
        experts="; ep = 1" if model == "qwen3_30b_a3b" else "",  # one layout, to compare loads
        slo=f"tpot <= {draw.randint(20, 120)} ms",
    )


@frozen
class Case:
    """Two plans and what was seen of both, where a rule is broken."""

    rule: str
    before: Plan
    after: Plan
    seen: tuple[float, float] = field(default=(0.0, 0.0))
