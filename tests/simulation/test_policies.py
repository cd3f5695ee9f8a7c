"""Policies: their names, their lines in the reference and their classes are the same everywhere."""

from enum import Enum

import pytest

from specc.ir import Admission, Cut, Queue, Routing, Scheduler
from specc.ir.policies import POLICIES
from specc.simulation.policies.admissions import ADMISSIONS, AdmissionPolicy, admission_of
from specc.simulation.policies.queues import QUEUES, QueuePolicy, queue_of
from specc.simulation.policies.registry import registered
from specc.simulation.policies.routers import ROUTERS, EngineView, RouterPolicy, router_of
from specc.simulation.policies.schedulers import (
    SCHEDULERS,
    SchedulerPolicy,
    StepView,
    scheduler_of,
)
from tests.conftest import ROOT

KINDS = (
    ("scheduler", Scheduler, SCHEDULERS, SchedulerPolicy, scheduler_of),
    ("router", Routing, ROUTERS, RouterPolicy, router_of),
    ("admission", Admission, ADMISSIONS, AdmissionPolicy, admission_of),
    ("queue", Queue, QUEUES, QueuePolicy, queue_of),
)


@pytest.mark.parametrize(("kind", "names", "policies", "base", "named"), KINDS)
def test_a_class_for_each_name(kind, names, policies, base, named) -> None:
    assert POLICIES[kind] is names
    assert [policy.name for policy in policies] == list(names)
    for policy in policies:
        assert issubclass(policy, base)
        assert policy.__doc__
        assert policy.__module__.endswith(f".{policy.name.value}")
        assert type(named(policy.name)) is policy


@pytest.mark.parametrize(("kind", "names"), POLICIES.items())
def test_names_and_lines_are_those_of_the_reference(kind: str, names: type[Enum]) -> None:
    text = (ROOT / "grammar" / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n### policies\n")[2].partition("\n### ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    assert [(name, doc) for what, name, doc in rows if what == kind] == [
        (f"`{name.value}`", name.doc) for name in names
    ]


def test_a_name_without_a_class_is_noticed() -> None:
    class Names(Enum):
        MISSING = "missing"
        BASE = "base"  # a module that has no class of this name

    with pytest.raises(ModuleNotFoundError):
        registered(Names, "specc.simulation.policies.schedulers")
    with pytest.raises(LookupError):
        registered(Enum("Names", {"BASE": "base"}), "specc.simulation.policies.schedulers")


@pytest.mark.parametrize("policy", SCHEDULERS)
def test_a_scheduler_is_what_its_name_says_to_the_loop(policy: type[SchedulerPolicy]) -> None:
    """The loop over steps of a deployment and the simulator form the same steps."""
    loop, scheduler = policy.name.loop, policy()
    if loop is None:
        return
    assert not policy.remembers
    plan = scheduler.plan(StepView(ready=10, budget=100, limit=115, prefilled=False))
    assert plan.decodes is loop.beside
    assert plan.prompts == (115 if loop.slack else 100) - (10 if loop.beside else 0)
    long, short = scheduler.cut(130, 40, 100), scheduler.cut(60, 40, 100)
    assert (long, short) == ((40, 40) if loop.cut is Cut.PART else (100, 60))
    assert (scheduler.longest_prompt(100) == 100) is (loop.cut is Cut.WHOLE)


def test_schedulers_by_turns() -> None:
    turns = scheduler_of(Scheduler.PREFILL_THEN_DECODE)
    assert turns.remembers
    assert turns.plan(StepView(10, 100, 100, prefilled=False)) == (False, 100)
    assert turns.plan(StepView(10, 100, 100, prefilled=True)) == (True, 0)
    assert turns.plan(StepView(0, 100, 100, prefilled=True)) == (False, 100)


def seen(loads: list[int], found: list[int]) -> list[EngineView]:
    return [EngineView(running=n, found=f) for n, f in zip(loads, found, strict=True)]


def test_routers() -> None:
    _, in_turn, least, aware = (router_of(name) for name in Routing)
    assert [in_turn.choose(n, seen([0, 0, 0], [0, 0, 0])) for n in range(4)] == [0, 1, 2, 0]
    assert least.choose(0, seen([3, 2, 2], [9, 0, 0])) == 1
    # The longest match; of several the least load; none, or a crowded one: the least load of all.
    assert aware.choose(0, seen([3, 2, 4], [1, 0, 5])) == 2
    assert aware.choose(0, seen([3, 2, 1], [5, 5, 0])) == 1
    assert aware.choose(0, seen([3, 2, 1], [0, 0, 0])) == 2
    assert aware.choose(0, seen([8, 1, 0], [7, 0, 0])) == 2  # 8 > 2 · 3 + 1
    assert aware.choose(0, seen([7, 1, 1], [7, 0, 0])) == 0  # 7 is not above 2 · 3 + 1


def test_the_balancer_of_an_engine_counts_what_waits_more_under_pressure() -> None:
    balancer = router_of(Routing.ENGINE)
    assert balancer.within_instances
    # Ties go on with every request.
    assert [balancer.choose(n, [EngineView()] * 3) for n in range(4)] == [0, 1, 2, 0]
    # Two that wait and four that run are 6; at a cache 3/4 full 6 + 2 · 6 · 1/4 = 9, at a full one
    # four times the two: 4 + 2 · 4 = 12.
    busy = [EngineView(waiting=2, running=4, used=used) for used in (0.5, 0.75, 1.0)]
    for load, places in ((6, (0, 1, 1)), (7, (0, 1, 1)), (9, (0, 0, 1)), (12, (0, 0, 0))):
        other = EngineView(running=load)
        assert tuple(balancer.choose(0, [engine, other]) for engine in busy) == places, load


def test_what_a_request_needs_to_start() -> None:
    assert admission_of(Admission.WHOLE_PROMPT).tokens(64, 500) == 500
    assert admission_of(Admission.FIRST_CHUNK).tokens(64, 500) == 64
