"""Load tests as runs that engines are fitted to."""

from collections.abc import Mapping

import numpy as np
from attrs import evolve

from specc.calibration.comparison.sent import NotComparableError, seeds_of
from specc.calibration.served.fitting import OVERHEADS, Curve, Progress, engine_name
from specc.calibration.setting import served_with
from specc.ir import ServedRule, ServedRules
from specc.loadtest import LoadTest
from specc.plan import Setup, Task
from specc.run.events import Events
from specc.run.subjects import Conditions, Part, Simulator, Subject


def curve_of(number: int, test: LoadTest, subject: Subject, advanced: Progress) -> Curve:
    """Return a test as it would be with each of `OVERHEADS`.

    What its steps say is in TPOT; throughput has the time of requests beside steps as well, so it
    counts only where TPOT is not known.

    Args:
        number: of the test, from 1.
        test: what was measured.
        subject: what served it.
        advanced: told of each simulation.

    Raises:
        NotComparableError: nothing that was measured is predicted, or the steps were measured.
        TooLongError: the load takes longer than can be simulated.
    """
    if not subject.parts:
        raise NotComparableError(
            "the plan simulates a server whose steps were measured",
            help="a fit needs a plan of a deployment, whose cost model it corrects",
        )
    measured = _measured(test)
    seed = seeds_of(subject.study.workload, subject.simulate, drafts=subject.drafts)[0]
    found: list[dict[str, float]] = []
    deviation = 0.0
    for overhead in OVERHEADS.tolist():
        simulator = Simulator(_with_overhead(subject, overhead), Events())
        outcome = simulator.outcome(Conditions(seed=seed))
        metrics = outcome.metrics(subject.study.workload)
        deviation = max(instance.deviation for instance in simulator.instances)
        means = {"throughput": metrics.throughput}
        means |= {
            name: one.mean
            for name, one in (("ttft", metrics.ttft), ("tpot", metrics.tpot))
            if one is not None
        }
        found.append(means)
        advanced()
    common = [name for name in measured if all(name in means for means in found)]
    if not common:
        raise NotComparableError("nothing that was measured is predicted")
    engine = subject.parts[0].task.deployment.engine
    return Curve(
        line=number,
        engine=engine_name(engine.software, engine.execution, apart=len(subject.parts) > 1),
        source=test.tool,
        model=test.model or "?",
        measured={name: measured[name] for name in common},
        predicted={name: np.array([means[name] for means in found]) for name in common},
        deviation=deviation,
    )


def _measured(test: LoadTest) -> Mapping[str, float]:
    means = {
        name: one.mean
        for name, one in (("ttft", test.ttft), ("tpot", test.tpot))
        if one is not None and one.mean
    }
    return means if "tpot" in means else {"throughput": test.throughput, **means}


def _with_overhead(subject: Subject, overhead: float) -> Subject:
    """Return a subject whose engines make of steps what an overhead alone says."""
    rules = ServedRules(other=ServedRule(overhead=overhead))
    return evolve(subject, parts=tuple(_part(part, rules) for part in subject.parts))


def _part(part: Part, rules: ServedRules) -> Part:
    setup = part.task.setup
    deployment = served_with(setup.deployment, rules)
    task = Task(Setup(setup.workload, deployment, setup.phase), part.task.layout, part.task.drafted)
    return evolve(part, task=task)
