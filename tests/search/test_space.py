"""The parallel space: what is kept, what is pruned, and why."""

import attrs
import pytest

from specc.ir import Deployment, Parallel
from specc.search.space import layouts
from tests.cost.test_rules import DEVICE, MODEL


def _space(devices: int = 8, model=MODEL, **parallel):
    deployment = Deployment(
        model=model, device=DEVICE, devices=devices, parallel=Parallel(**parallel)
    )
    return layouts(deployment)


def test_auto_takes_powers_of_two_and_derives_dp() -> None:
    space = _space()
    assert [(x.tp, x.dp) for x in space.layouts] == [(8, 1), (4, 2), (2, 4), (1, 8)]
    assert space.pruned == ()


@pytest.mark.parametrize(
    ("devices", "sizes", "model", "reason"),
    [
        (8, {"tp": (3,)}, MODEL, "TP · PP = 3 does not divide 8 devices"),
        (8, {"tp": (16,)}, MODEL, "TP · PP = 16 does not divide 8 devices"),
        (6, {"tp": (3,)}, MODEL, "TP = 3 does not divide 8 attention heads"),
        (8, {"tp": (2,), "dp": (1, 2)}, MODEL, "DP = 4 is not among the sizes allowed (1, 2)"),
        (
            4,
            {"tp": (4,)},
            attrs.evolve(MODEL, attention_heads=12, kv_heads=6),
            "TP = 4 and 6 key-value heads do not divide each other",
        ),
        (
            8,
            {"tp": (8,)},
            attrs.evolve(MODEL, intermediate_size=300),
            "TP = 8 does not divide the MLP width 300",
        ),
    ],
)
def test_reasons(devices, sizes, model, reason) -> None:
    space = _space(devices, model, **sizes)
    assert space.layouts == ()
    assert [p.reason for p in space.pruned] == [reason]


def test_every_layout_uses_all_devices() -> None:
    for devices in range(1, 65):
        for layout in _space(devices, tp=tuple(range(1, 65))).layouts:
            assert layout.devices == devices
            assert layout.label == f"TP={layout.tp} | PP=1 | DP={layout.dp}"
