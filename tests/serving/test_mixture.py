"""Mixtures of lengths: allocation by largest remainder, and one shape as a mixture of one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.ir import Deployment, Layout, LengthBin, Phase, Representative, RequestShape, Workload
from specc.run.evaluate import point_of
from specc.serving import Aggregated, Decode, Prefill, Server, StepLoop, allocate
from specc.session import Session
from tests.cost.test_rules import DEVICE, MODEL


def _shapes(shares: list[float], lengths: list[int]) -> list[RequestShape]:
    total = sum(shares)
    return [RequestShape(s / total, n, 0, 10) for s, n in zip(shares, lengths, strict=True)]


def test_ten_requests_over_five_three_two() -> None:
    assert allocate(10, _shapes([5, 3, 2], [100, 200, 300])) == (5, 3, 2)


def test_ties_go_to_the_longer_prompt() -> None:
    """7 / 3 = 2 with a remainder of 1/3 each; the seventh request is of the longest."""
    assert allocate(7, _shapes([1, 1, 1], [100, 200, 300])) == (2, 2, 3)
    assert allocate(7, _shapes([1, 1, 1], [300, 200, 100])) == (3, 2, 2)


@given(
    st.integers(0, 5000),
    st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 9999)), min_size=1, max_size=12),
)
def test_allocation_deals_every_request_and_is_within_one(total: int, pairs) -> None:
    shapes = _shapes([share for share, _ in pairs], [length for _, length in pairs])
    counts = allocate(total, shapes)
    assert sum(counts) == total
    for count, shape in zip(counts, shapes, strict=True):
        assert abs(count - total * shape.share) < 1 + 1e-6


def test_representative_lengths() -> None:
    row = LengthBin(share=1.0, input=(0, 2048), output=(64, 512), means=(700, 99))
    points = {r: row.lengths(r) for r in Representative}
    assert points == {
        Representative.MID: (1024, 288),
        Representative.MIN: (1, 64),
        Representative.MAX: (2047, 511),
        Representative.MEAN: (700, 99),
    }
    one = LengthBin(share=1.0, input=(1500, 1501), output=(7, 8))
    assert {one.lengths(r) for r in (Representative.MID, Representative.MAX)} == {(1500, 7)}


def test_a_bin_has_the_hit_rate_of_the_workload_unless_it_has_its_own() -> None:
    rows = (
        LengthBin(share=1.0, input=(100, 101), output=(5, 6)),
        LengthBin(share=3.0, input=(200, 201), output=(5, 6), prefix_hit=0.0),
    )
    shapes = Workload(requests=rows, prefix_hit=0.25).shapes()
    assert shapes == (RequestShape(0.25, 100, 25, 5), RequestShape(0.75, 200, 0, 5))


PLAIN = Workload(input=3000, output=400, prefix_hit=0.2)
AS_BIN = Workload(
    requests=(LengthBin(share=0.3, input=(3000, 3001), output=(400, 401), prefix_hit=0.2),)
)


def _server(workload: Workload, dp: int = 2) -> Server:
    deployment = Deployment(model=MODEL, device=DEVICE, devices=2 * dp)
    return Server.of(deployment, Layout(2, 1, dp), workload, Phase.WHOLE)


MODELS = {
    "aggregated": lambda server: Aggregated(server, 9000),
    "chunked": lambda server: StepLoop(server, 1000),
    "prefill": lambda server: Prefill(server, 9000),
    "chunked prefill": lambda server: StepLoop(server, 1000, slack=0.0, decodes=False),
    "decode": Decode,
}


@pytest.mark.parametrize("name", list(MODELS))
def test_one_bin_of_one_length_is_a_plain_workload(name: str) -> None:
    batch = np.array([1, 7, 64])
    tables = [MODELS[name](_server(workload)).evaluate(batch) for workload in (PLAIN, AS_BIN)]
    for row in range(len(batch)):
        assert tables[0].row(row) == tables[1].row(row)


@pytest.mark.parametrize("name", list(MODELS))
def test_bins_of_a_mixture_average_to_the_whole(name: str) -> None:
    """Detail rows have the integers; weighted by them they give the aggregate row."""
    rows = tuple(
        LengthBin(share=share, input=(n, n + 1), output=(o, o + 1))
        for share, n, o in ((5, 500, 50), (3, 1500, 200), (2, 4000, 800))
    )
    model = MODELS[name](_server(Workload(requests=rows)))
    batch = 20
    table = model.evaluate(np.array([batch]))
    bins = model.bins(point_of(table, 0))
    assert [row.samples for row in bins] == [20, 12, 8]
    weights = [row.samples for row in bins]
    if name != "decode":
        ttft = np.average([row.ttft for row in bins], weights=weights)
        assert ttft == pytest.approx(table.ttft[0])
    if name in ("chunked", "decode"):
        tpot = np.average([row.tpot for row in bins], weights=weights)
        assert tpot == pytest.approx(table.tpot[0])


def test_decoding_requests_are_weighted_by_their_time_in_flight() -> None:
    """Of two shapes with outputs of 100 and 300, three in four that decode are of the second."""
    shapes = (
        LengthBin(share=1.0, input=(10, 11), output=(100, 101)),
        LengthBin(share=1.0, input=(90, 91), output=(300, 301)),
    )
    mixture = _server(Workload(requests=shapes)).mixture
    assert mixture.in_flight == pytest.approx((0.25, 0.75))
    assert mixture.mean_context == pytest.approx(0.25 * 61 + 0.75 * 241)
    assert mixture.mean_output == 200


LONGBIN = """
use std.devices
use std.models
workload w {{
    requests {{
        | share | input   | output |
        | {share} | 1000    | 200    |
        | 1%    | 130_000 | 200    |
    }}
}}
workload long {{ input = 130_000 tok; output = 200 tok }}
deployment d {{
    model = llama3_1_70b; quant = w8a8_dynamic; device = test_device; devices = 2
    calibration = reference
    parallel {{ tp = 2 }}
    {more}
}}
study s {{ workload = {workload}; deployments = d }}
"""


def _of_text(tmp_path: Path, workload: str = "w", share: str = "99%  ", more: str = ""):
    path = tmp_path / "plan.spec"
    path.write_text(LONGBIN.format(share=share, workload=workload, more=more))
    (study,) = Session(path).results.studies
    return study.candidates[0]


def test_the_longest_request_needs_room_however_rare_it_is(tmp_path: Path) -> None:
    """One in a hundred is longer than the memory holds: then nothing fits, as with it alone."""
    rare, alone = _of_text(tmp_path), _of_text(tmp_path, "long")
    for found in (rare, alone):
        assert not found.feasible
        assert found.misses[0].limit == "memory"
    assert rare.misses[0].value == pytest.approx(alone.misses[0].value, rel=0.01)


@pytest.mark.parametrize("more", ["", "search { method = steady }", "mode = decode_only"])
def test_memory_with_the_longest_request_adds_up(tmp_path: Path, more: str) -> None:
    """What is shown of the memory of a device is all of it."""
    path = tmp_path / "plan.spec"
    text = LONGBIN.format(share="99%  ", workload="w", more=more)
    path.write_text(text.replace("130_000", "20_000"))
    (study,) = Session(path).results.studies
    m = study.candidates[0].point.memory
    parts = m.weights + m.kv_cache + m.activations + m.reserved + m.available
    assert parts == pytest.approx(64 * 2**30, abs=8)
    path.write_text(text.replace("130_000", "1001"))
    (like,) = Session(path).results.studies
    batch = min(study.candidates[0].point.batch, like.candidates[0].point.batch)
    assert batch > 1
    assert study.candidates[0].point.batch <= like.candidates[0].point.batch
