"""What differences look like, by figures alone; and the load of a test as one to simulate."""

import math

import pytest

from specc.calibration.comparison.looks import Difference, looks_of
from specc.calibration.comparison.sent import (
    NotComparableError,
    seeds_of,
    sent_load,
    workload_of,
)
from specc.ir import Process, Slo
from specc.loadtest import Distribution, Lengths, LoadTest, RequestLog, SentLoad
from specc.loadtest.base import checked
from specc.results import BoundShares, Comparison

BOTH = ["host overhead", "memory-bound decode"]
MEMORY = BoundShares(0.1, 0.8, 0.05, 0.05)
HOST = BoundShares(0.1, 0.4, 0.1, 0.4)
LINKS = BoundShares(0.1, 0.3, 0.55, 0.05)
SAME = {
    "ttft": 1.0, "tpot": 1.0, "throughput": 1.0, "more_ttft": 0.0, "more_tpot": 0.0,
    "step": 0.03, "decode": MEMORY, "queued": 0.0, "under_way": 1.0, "spread_ttft": 1.5,
    "drafts": False, "failed": 0.0,
}  # fmt: skip


def outside() -> Comparison:
    return Comparison(
        tool="t", version="", name="", model="", load="", input=1, output=1, requests=1,
        failed=0, cancelled=None, duration=1, configuration="d",
        measured={"ttft": {"mean": 2.0}}, predicted={"ttft": {"mean": 1.0}},
        interval={"ttft": {"mean": (0.9, 1.1)}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"under_way": 0.7}, ["the load generator's own wait"]),
        ({"ttft": 3.0, "more_ttft": 2.0, "queued": 0.6}, ["queueing"]),
        ({"ttft": 3.0, "more_ttft": 2.0, "spread_ttft": 8.0}, ["queueing"]),
        ({"ttft": 1.5, "more_ttft": 0.03}, ["time beside steps"]),
        ({"ttft": 1.8, "more_ttft": 0.5}, ["prefill"]),
        (
            {"tpot": 1.5, "more_tpot": 0.01, "decode": HOST},
            ["host overhead", "memory-bound decode"],
        ),
        ({"tpot": 1.5, "more_tpot": 0.01, "step": 0.01}, BOTH),
        ({"tpot": 1.5, "more_tpot": 0.01}, ["memory-bound decode"]),
        ({"tpot": 1.5, "more_tpot": 0.01, "decode": LINKS}, ["communication"]),
        ({"tpot": 0.6}, ["faster decode than predicted"]),
        ({"ttft": 0.5}, ["faster prefill than predicted"]),
        ({"failed": 0.2, "under_way": 0.7}, ["failed requests"]),
        ({}, ["unclear"]),
        ({"ttft": math.nan, "under_way": math.nan}, ["unclear"]),
    ],
)
def test_what_it_looks_like(changes, kinds) -> None:
    found = looks_of(outside(), Difference(**{**SAME, **changes}))
    assert [look.kind for look in found] == kinds
    assert all(look.why and look.remedy for look in found)


def test_nothing_is_said_of_what_is_inside() -> None:
    inside = Comparison(
        **{
            name: getattr(outside(), name)
            for name in ("tool", "version", "name", "model", "load", "input", "output", "requests",
                         "failed", "cancelled", "duration", "configuration", "predicted")
        },
        measured={"ttft": {"mean": 1.0}},
        interval={"ttft": {"mean": (0.9, 1.1)}},
    )  # fmt: skip
    assert inside.verdict == "inside"
    assert looks_of(inside, Difference(**{**SAME, "tpot": 9.0})) == ()


CLIENTS = SentLoad(process="clients", clients=4)


def a_test(load: SentLoad = CLIENTS, **other) -> LoadTest:
    usual = {
        "tool": "t", "load": load, "input": Lengths(100.0), "output": Lengths(10.0),
        "requests": 8, "duration": 1.0, "tokens": 80.0,
    }  # fmt: skip
    return LoadTest(**{**usual, **other})


def test_lengths_of_a_test_are_those_that_are_simulated() -> None:
    plain = workload_of(a_test(), 0.25, Slo())
    assert (plain.input, plain.output, plain.prefix_hit) == (100, 10, 0.25)
    (row,) = workload_of(a_test(output=Lengths(20.0, 10, 32)), 0.0, Slo()).requests
    assert row.output == (10, 31)  # its middle is the mean
    log = RequestLog((), (5, 5, 90, 90), (1, 2, 30, 40), (0.1,) * 4, (0.2,) * 4)
    rows = workload_of(a_test(log=log), 0.0, Slo()).requests
    assert [(r.input[0], r.output[0], r.share) for r in rows] == [
        (5, 1, 0.25), (5, 2, 0.25), (90, 30, 0.25), (90, 40, 0.25),
    ]  # fmt: skip


def test_loads_of_a_test_are_sent_again() -> None:
    assert sent_load(a_test(), None).arrival.clients == 4
    assert sent_load(a_test(SentLoad(process="burst")), None).arrival.process is Process.BURST
    paced = SentLoad(process="gamma", rate=3.0, cv=2.0)
    arrival = sent_load(a_test(paced), None).arrival
    assert (arrival.process, arrival.rate, arrival.cv) == (Process.GAMMA, 3.0, 2.0)
    log = RequestLog((0.0, 0.7), (100, 100), (10, 10), (0.1, 0.1), (0.5, 0.5))
    replay = sent_load(a_test(paced, log=log, requests=2), None).arrival
    assert replay.process is Process.TRACE
    assert replay.trace.arrival == (0.0, 0.7)


def test_requests_at_times_of_their_own_are_replayed() -> None:
    times = tuple(float(second) for second in range(8))
    same = (100,) * 8, (10,) * 8, (0.1,) * 8, (0.5,) * 8
    test = checked(a_test(SentLoad(process="burst"), log=RequestLog(times, *same), requests=8))
    assert test.load.label == "requests at times of their own"
    assert sent_load(test, None).arrival.trace.arrival == times
    at_once = RequestLog((0.0,) * 8, *same)
    test = checked(a_test(SentLoad(process="burst"), log=at_once, requests=8))
    assert test.load.label == "all requests at once"


@pytest.mark.parametrize("process", ["ramp", "schedule"])
def test_times_that_no_file_has_are_not_invented(process) -> None:
    with pytest.raises(NotComparableError, match="does not have the times"):
        sent_load(a_test(SentLoad(process=process)), None)


@pytest.mark.parametrize(("rate", "process"), [(8.0, "CONCURRENCY"), (4.0, "POISSON"), (6.5, "")])
def test_a_limit_beside_a_rate_counts_where_it_is_reached(rate, process) -> None:
    """At 0.5 s a request, 4 under way are 8 req/s."""
    load = SentLoad(process="poisson", rate=20.0, clients=4)
    test = a_test(load, duration=8 / rate, latency=Distribution(mean=0.5))
    if process:
        assert sent_load(test, None).arrival.process is Process[process]
        return
    with pytest.raises(NotComparableError, match="81% of these were"):
        sent_load(test, None)


def test_chance_has_several_seeds() -> None:
    clients = a_test()
    simulate = sent_load(clients, None)
    assert seeds_of(workload_of(clients, 0.0, Slo()), simulate, drafts=False) == (1,)
    assert len(seeds_of(workload_of(clients, 0.0, Slo()), simulate, drafts=True)) == 5
    paced = sent_load(a_test(SentLoad(process="poisson", rate=3.0)), None)
    assert len(seeds_of(workload_of(clients, 0.0, Slo()), paced, drafts=False)) == 5
