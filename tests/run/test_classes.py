"""Classes of requests: what they inherit, who waits for whom, and what each of them sees."""

import json
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from specc.ir import (
    Arrival,
    LengthBin,
    Process,
    Queue,
    RequestClass,
    Sessions,
    Simulate,
    Slo,
    Workload,
)
from specc.results import Configuration, load_results
from specc.session import Session
from specc.simulation.arrivals import RequestSource
from specc.simulation.closed import Clients, serve_clients
from specc.simulation.cluster import Disaggregated, Pool
from specc.simulation.costs import PICOSECONDS, MeasuredCosts
from specc.simulation.metrics import of_the_middle
from tests.simulation.test_theory import COSTS, Moving, engine

WORKLOAD = Workload(
    classes=(
        RequestClass(name="short", share=3, priority=1, input=100, output=20, slo=Slo(ttft=0.5)),
        RequestClass(
            name="long",
            share=1,
            priority=2,
            prefix_hit=0.5,
            requests=(
                LengthBin(share=1, input=(400, 500), output=(60, 61)),
                LengthBin(share=3, input=(600, 700), output=(80, 81)),
            ),
        ),
    )
)


def source(workload: Workload = WORKLOAD, count: int = 4000, **more: object) -> RequestSource:
    arrival = Arrival(Process.POISSON, 5.0)
    simulate = Simulate(arrival=arrival, requests=count, **more)
    return RequestSource(simulate, workload, block=16, longest=4096)


def test_shares_and_lengths() -> None:
    """Three of four are short; of the others one of four is of the shorter bin."""
    requests = source().requests()
    short = requests.category == 0
    assert short.mean() == pytest.approx(0.75, abs=0.02)
    assert set(requests.input[short]) == {100}
    assert set(requests.priority[short]) == {1}
    assert set(requests.priority[~short]) == {2}
    assert (requests.cached[short] == 0).all()
    assert (requests.cached[~short] == requests.input[~short] // 2).all()
    assert (requests.bin[~short] == 1).mean() == pytest.approx(0.25, abs=0.05)
    assert requests.input[requests.bin == 2].min() >= 600
    shapes = WORKLOAD.shapes()
    assert [s.share for s in shapes] == pytest.approx([0.75, 0.0625, 0.1875])
    assert source().longest_request == 700 + 81


def test_the_workload_stays_what_it_was_without_classes() -> None:
    plain = Workload(input=100, output=20)
    requests = source(plain).requests()
    assert requests.category is None
    assert requests.priority is None
    assert (requests.input == 100).all()
    assert plain.parts == (plain,)
    assert plain.shares == (1.0,)


def test_a_session_is_of_one_class() -> None:
    """Each turn of a session has new tokens of its class: 100 and 20, or more than 400."""
    sessions = Sessions(turns=4, gap=5.0)
    uncached = evolve(WORKLOAD, classes=tuple(evolve(c, prefix_hit=0.0) for c in WORKLOAD.classes))
    requests = source(uncached, sessions=sessions).requests()
    assert requests.blocks is not None
    first = {}
    for blocks, category in zip(requests.blocks, requests.category.tolist(), strict=True):
        if blocks:
            assert first.setdefault(blocks[0], category) == category
    assert len(first) > 100
    assert (requests.category == 0).mean() == pytest.approx(0.75, abs=0.06)


def test_waits_are_those_of_cobham() -> None:
    """One server, served one by one in the order of priorities, none interrupted (Cobham 1954).

    With times of service that do not vary, W₁ = λS² / 2(1 − ρ₁) and W₂ = W₁ / (1 − ρ).
    """
    costs = MeasuredCosts([(1, 0.05), (512, 0.05)], [(1, 0.02), (32, 0.02)], 4096)
    classes = tuple(
        RequestClass(name=name, share=share, priority=priority, input=100, output=1)
        for name, share, priority in (("later", 0.6, 2), ("first", 0.4, 1))
    )
    rate, served = 16.0, 0.05
    simulate = Simulate(arrival=Arrival(Process.POISSON, rate), requests=150_000)
    requests = RequestSource(simulate, Workload(classes=classes)).requests()
    one = engine(limit=1, decode_batch=1, admission=1, queue=Queue.PRIORITY)
    queue = Pool(one, costs).serve(requests).values("queue")
    first, all_ = 0.4 * rate * served, rate * served
    expected = rate * served**2 / 2 / (1 - first)
    assert queue[requests.category == 1].mean() == pytest.approx(expected, rel=0.02)
    assert queue[requests.category == 0].mean() == pytest.approx(expected / (1 - all_), rel=0.06)
    # By arrival nobody waits less: λS² / 2(1 − ρ) for all.
    fifo = Pool(evolve(one, queue=Queue.FIFO), costs).serve(requests).values("queue")
    alike = rate * served**2 / 2 / (1 - all_)
    for category in (0, 1):
        assert fifo[requests.category == category].mean() == pytest.approx(alike, rel=0.05)
    # What waits in all is the same: the order changes only who does.
    assert queue.mean() == pytest.approx(fifo.mean(), rel=1e-9)


def test_metrics_of_classes_add_up() -> None:
    requests = source().requests()
    outcome = Pool(engine(queue=Queue.PRIORITY), COSTS).serve(requests)
    metrics = outcome.metrics(WORKLOAD)
    short, long = metrics.classes
    assert (short.name, long.name) == ("short", "long")
    assert short.requests + long.requests == metrics.requests
    assert short.goodput + long.goodput == pytest.approx(metrics.goodput)
    met = short.requests * short.attainment + long.requests * long.attainment
    assert met / metrics.requests == pytest.approx(metrics.attainment)
    # Of the class alone, computed another way.
    own = outcome.values("ttft")[requests.category == 0]
    assert metrics.statistic("short.ttft.p99") == pytest.approx(np.quantile(own, 0.99))
    assert short.attainment == (own <= 0.5).mean()
    assert long.attainment == 1.0  # it has no limit
    (objective,) = metrics.objectives
    assert (objective.fact, objective.metric) == ("short.ttft.mean", "ttft")


def test_two_classes_that_are_alike_are_one() -> None:
    """Divided in two, requests of one shape see what they saw, by either queue."""
    plain = Workload(input=200, output=40, slo=Slo(ttft=0.4))
    halves = tuple(
        RequestClass(name=name, share=1, input=200, output=40, slo=Slo(ttft=0.4))
        for name in ("one", "other")
    )
    for queue in Queue:
        pool = Pool(engine(queue=queue), COSTS)
        whole, divided = (
            pool.serve(source(w).requests()).metrics(w) for w in (plain, Workload(classes=halves))
        )
        assert divided.ttft == whole.ttft
        assert divided.latency == whole.latency
        assert divided.attainment == whole.attainment


@pytest.mark.parametrize("clients", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_priority_helps_whom_it_should(clients: bool, apart: bool) -> None:
    """Prefill apart from decode too, and with clients: the first class waits less, others more."""
    requests = source().requests(scale=3.0)

    def queues(queue: Queue) -> tuple[float, float]:
        pool = Pool(engine(queue=queue, limit=8, admission=2, decode_batch=8), COSTS)
        cluster = Disaggregated(pool, pool, Moving(0.01)) if apart else pool
        outcome = (
            serve_clients(cluster, requests, Clients(40)) if clients else cluster.serve(requests)
        )
        waits = outcome.values("ttft")
        category = outcome.requests.category
        return waits[category == 0].mean(), waits[category == 1].mean()

    fifo, ranked = queues(Queue.FIFO), queues(Queue.PRIORITY)
    assert ranked[0] < fifo[0]
    assert ranked[1] > fifo[1]


PLAN = """use std.devices
use std.models
workload chat {{
    input = 1000 tok; output = 200 tok
    slo {{ tpot <= 60 ms; ttft.p99 <= 4 s }}
    {classes}
}}
deployment d {{
    model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 1
    engine {{ chunk_budget = 4Ki tok; queue = {queue} }}
    {more}
}}
study s {{ workload = chat; deployments = d
    {after}
}}
"""
CLASSES = """
    class interactive { share = 80%; priority = 1; slo { ttft.p99 <= 1 s } }
    class batch { share = 20%; priority = 2; input = 6000 tok; output = 400 tok }"""
LOAD = "simulate { arrival = poisson(2.4 req/s); requests = 2000 }"


def run(folder: Path, after: str = LOAD, queue: str = "priority", **more: str) -> Configuration:
    return session(folder, after, queue, **more).results.studies[0].best


def session(folder: Path, after: str = LOAD, queue: str = "priority", **more: str) -> Session:
    path = folder / "plan.spec"
    fields = {"classes": CLASSES, "more": "", **more}
    path.write_text(PLAN.format(queue=queue, after=after, **fields))
    return Session(path)


def test_what_a_class_leaves_out_is_as_in_its_workload(tmp_path: Path) -> None:
    interactive, batch = session(tmp_path).document.studies[0].workload.classes
    assert (interactive.input, interactive.output) == (1000, 200)
    assert (batch.input, batch.output) == (6000, 400)
    assert interactive.slo.tpot == batch.slo.tpot == 0.06
    assert [b.value for b in interactive.slo.tails] == [1.0]
    assert [b.value for b in batch.slo.tails] == [4.0]


def test_a_shape_instead_of_the_table_of_the_workload(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(
        "workload w {\n    requests {\n        | share | input | output |\n"
        "        | 1 | 10 .. 20 | 5 |\n        | 1 | 20 .. 30 | 5 |\n    }\n"
        "    class one { share = 1; input = 7 tok; output = 3 tok }\n"
        "    class other { share = 3 }\n}\n"
        "server box { step_cost {\n        | step | size | time |\n        | prefill | 1 | 1 ms |\n"
        "        | decode | 1 | 1 ms |\n} }\n"
        "study s { workload = w; servers = box; simulate { arrival = burst } }\n"
    )
    one, other = Session(path).document.studies[0].workload.classes
    assert (one.input, one.requests) == (7, ())
    assert len(other.requests) == 2


def test_the_queue_decides_who_breaks(tmp_path: Path) -> None:
    ranked, fifo = run(tmp_path), run(tmp_path, queue="fifo")
    kept = {k.fact: k for k in ranked.slo}
    assert list(kept) == [
        "interactive.tpot.mean",
        "interactive.ttft.p99",
        "batch.tpot.mean",
        "batch.ttft.p99",
    ]
    assert all(k.probability is not None for k in ranked.slo)
    before = {k.fact: k for k in fifo.slo}
    assert kept["interactive.ttft.p99"].value < before["interactive.ttft.p99"].value
    assert kept["batch.ttft.p99"].value > before["batch.ttft.p99"].value
    assert [one.name for one in ranked.metrics.classes] == ["interactive", "batch"]


def test_facts_and_files(tmp_path: Path) -> None:
    found = session(
        tmp_path,
        f"{LOAD}\n    expect best.interactive.ttft.p99 <= 1 ms\n"
        "    expect d.best.batch.attainment >= 1%\n"
        "    expect best.interactive.goodput >= 0.1 req/s",
    )
    first, *others = found.results.studies[0].verdicts
    assert not first.met
    assert "best.interactive.ttft.p99 is" in first.seen
    assert all(verdict.met for verdict in others)
    text = found.results.to_json()
    path = tmp_path / "plan.result.json"
    path.write_text(text)
    assert load_results(path).to_json() == text
    (own, _) = json.loads(text)["studies"][0]["configurations"][0]["metrics"]["classes"]
    assert own["name"] == "interactive"
    assert own["ttft"]["p99"] > 0.001


@pytest.mark.parametrize(
    "after", ["", "simulate = none", LOAD + "; capacity { attainment = 95%; seeds = 1 }"]
)
def test_every_load(tmp_path: Path, after: str) -> None:
    """As many clients as keep the limits of all classes; closed form; the capacity of a load."""
    classes = CLASSES.replace("ttft.p99 <= 1 s", "ttft <= 1 s") if "none" in after else CLASSES
    slo = "tpot <= 60 ms" if "none" in after else "tpot <= 60 ms; ttft.p99 <= 4 s"
    text = PLAN.replace("tpot <= 60 ms; ttft.p99 <= 4 s", slo)
    path = tmp_path / "plan.spec"
    path.write_text(text.format(queue="priority", after=after, classes=classes, more=""))
    best = Session(path).results.studies[0].best
    assert best.feasible
    if "capacity" in after:
        assert 1 < best.capacity < 10
    elif not after:
        assert best.load.clients > 1
        assert all(kept.met for kept in best.slo)
    else:
        assert not best.simulated
        assert best.ttft <= 1.0


def test_a_fleet_keeps_the_limits_of_all_classes(tmp_path: Path) -> None:
    best = run(tmp_path, "", more="fleet { rate = 20 req/s }")
    assert best.feasible
    assert best.instances[0].count > 5
    assert all(kept.met for kept in best.slo)


def test_goodput_is_that_of_the_middle_of_the_run() -> None:
    """Under overload, by priority: counted request by request in the time that rates are of."""
    requests = source(count=3000).requests(scale=2.0)
    few = engine(limit=6, decode_batch=6, admission=6, queue=Queue.PRIORITY)
    outcome = Pool(few, COSTS).serve(requests)
    whole, met = outcome.metrics(WORKLOAD), outcome.met(WORKLOAD)
    middle = of_the_middle(outcome, whole, met, 0.0)
    begin = min(whole.latency.p99, whole.arriving / 2) * PICOSECONDS
    rows = zip(outcome.served.finish.tolist(), requests.category.tolist(), met, strict=True)
    counted = [0, 0]
    for finish, category, kept in rows:
        counted[category] += bool(kept and begin < finish <= requests.arrival[-1])
    length = (requests.arrival[-1] - begin) / PICOSECONDS
    for one, count in zip(middle.classes, counted, strict=True):
        assert one.goodput == pytest.approx(count / length)
    assert middle.goodput == pytest.approx(sum(counted) / length)
    # Of the middle few long requests are done: their share there is not that of the whole run.
    assert counted[1] < 0.2 * sum(counted)


def test_growth_is_seen_of_each_class() -> None:
    """The class that is served last waits longer and longer; the other does not."""
    requests = source(count=3000).requests(scale=2.0)
    few = engine(limit=6, decode_batch=6, admission=6, queue=Queue.PRIORITY)
    metrics = Pool(few, COSTS).serve(requests).metrics(WORKLOAD)
    assert metrics.growing
    assert metrics.statistic("short.queue.mean") < 0.1 * metrics.statistic("long.queue.mean")


def test_a_class_without_requests_has_no_attainment() -> None:
    rare = evolve(WORKLOAD, classes=(WORKLOAD.classes[0], evolve(WORKLOAD.classes[1], share=1e-9)))
    requests = source(rare, count=100).requests()
    none = Pool(engine(), COSTS).serve(requests).metrics(rare).classes[1]
    assert (none.requests, none.attainment, none.ttft) == (0, None, None)


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ("best.interactive <= 2 s", "E0203"),
        ("best.prefill.interactive.ttft.p99 <= 2 s", "E0203"),
        ("best.prefill.ttft.p99 <= 2 s", "E0203"),
        ("best.interactive.attainment >= 1 s", "E0302"),
    ],
)
def test_claims_that_are_none(tmp_path: Path, claim: str, code: str) -> None:
    found = session(tmp_path, f"{LOAD}\n    expect {claim}")
    assert {d.code for d in found.diagnostics} == {code}


def test_confidence_is_of_all_classes(tmp_path: Path) -> None:
    """A class without limits beside one that has some is no error."""
    classes = """
    slo { confidence = 90% }
    class chat { share = 80%; slo { ttft.p99 <= 2 s } }
    class batch { share = 20% }"""
    path = tmp_path / "plan.spec"
    text = PLAN.replace("    slo {{ tpot <= 60 ms; ttft.p99 <= 4 s }}\n", "")
    path.write_text(text.format(queue="priority", after=LOAD, classes=classes, more=""))
    assert not Session(path).diagnostics


def test_lengths_instead_of_those_of_a_base(tmp_path: Path) -> None:
    """In a workload that extends another, and from the command line, as in a class."""
    path = tmp_path / "plan.spec"
    path.write_text(
        "workload w {\n    requests {\n        | share | input | output |\n"
        "        | 1 | 10 .. 20 | 5 |\n    }\n}\n"
        "workload v extends w { input = 7 tok; output = 3 tok }\n"
        "server box { step_cost {\n        | step | size | time |\n        | prefill | 1 | 1 ms |\n"
        "        | decode | 1 | 1 ms |\n} }\n"
        "study s { workload = v; servers = box; simulate { arrival = burst } }\n"
        "study t { workload = w; servers = box; simulate { arrival = burst } }\n"
    )
    v, w = (study.workload for study in Session(path).document.studies)
    assert (v.input, v.requests) == (7, ())
    assert len(w.requests) == 1
    both = ("workload.w.input=9tok", "workload.w.output=2tok")
    changed = Session(path, both).document.studies[1].workload
    assert (changed.input, changed.output, changed.requests) == (9, 2, ())
