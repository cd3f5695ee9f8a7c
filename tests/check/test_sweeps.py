"""Variants of a swept study mean what the spec would mean with their values in its blocks."""

from pathlib import Path

import pytest
from attrs import evolve

from specc.session import Session

SPEC = """
use std.devices
use std.models
model small extends qwen3_8b { }
deployment base {
    model = small; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 2
    parallel { tp = [1, 2] }
}
deployment wide extends base { devices = 4 }
deployment other {
    model = qwen3_32b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 8
    engine {
        speculative { draft = small; tokens = [0, 1]; acceptance = [0.7]; source = "a guess" }
    }
}
workload w { input = 1000 tok; output = 200 tok; slo { tpot <= 50 ms } }
study s {
    workload = w; deployments = [base, wide, other]
    SWEEP
}
"""
# What is swept, and which parts of the study stay the same objects in all variants.
SWEEPS = {
    "w.output": ("100 tok", "300 tok", {"base", "wide", "other"}),
    "base.devices": ("2", "8", {"w", "other", "small"}),
    "wide.devices": ("2", "8", {"w", "base", "other"}),
    "small.layers": ("30", "32", {"w", "qwen3_32b"}),
    "other.engine.block_size": ("64 tok", "128 tok", {"w", "base", "wide", "small"}),
}


def _studies(tmp_path: Path, sweep: str, overrides: tuple[str, ...] = ()):
    path = tmp_path / "plan.spec"
    path.write_text(SPEC.replace("SWEEP", sweep))
    session = Session(path, overrides)
    assert session.document is not None, session.diagnostics
    return session.document.studies


def _parts(study) -> dict[str, object]:
    parts = {study.workload.name: study.workload}
    for deployment in study.deployments:
        parts |= {deployment.name: deployment, deployment.model.name: deployment.model}
        speculative = deployment.engine.speculative
        if speculative is not None and speculative.draft is not None:
            parts[f"draft {speculative.draft.name}"] = speculative.draft
    return parts


@pytest.mark.parametrize("field", SWEEPS)
def test_a_variant_is_what_setting_its_value_gives(tmp_path: Path, field: str) -> None:
    *values, _ = SWEEPS[field]
    variants = _studies(tmp_path, f"sweep {field} in [{', '.join(values)}]")
    assert len(variants) == len(values)
    for variant, value in zip(variants, values, strict=True):
        (alone,) = _studies(tmp_path, "", (f"{field}={value}",))
        assert evolve(variant, settings=()) == alone


@pytest.mark.parametrize("field", SWEEPS)
def test_variants_share_the_blocks_in_which_nothing_is_set(tmp_path: Path, field: str) -> None:
    *values, same = SWEEPS[field]
    first, second = map(_parts, _studies(tmp_path, f"sweep {field} in [{', '.join(values)}]"))
    shared = {name for name in first if first[name] is second[name]}
    assert same <= shared
    block = field.partition(".")[0]
    changed = {name for name in first if first[name] != second[name]}
    assert not shared & changed
    assert block in changed


def test_a_sweep_over_what_a_set_field_reaches(tmp_path: Path) -> None:
    """What the command line sets holds in every variant."""
    swept = "sweep w.output in [100 tok, 300 tok]"
    for study in _studies(tmp_path, swept, ("base.devices=8",)):
        assert [d.devices for d in study.deployments] == [8, 4, 8]
