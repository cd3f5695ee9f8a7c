"""How the recommendation of a study moves with its inputs: all of them in one evaluation.

Each input is taken at some multiples, the others as they are. What is evaluated is the closed form
of the configurations that were in question, with the best batch size and the fewest instances of
each anew. A simulation says where they stand; the closed form says how far each of them moves.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from attrs import evolve, fields, frozen

from specc.ir import Deployment, Device, Objective, Phase, Study, Workload
from specc.ir.calibration import GenerationRule, ServedRule
from specc.ir.cube import CubeUnit
from specc.ir.deployment import Fleet, Transfer
from specc.ir.device import Level, ReferenceCalibration, VectorUnit
from specc.ir.engine import Speculative
from specc.ir.load import fleet_of, planned_workload
from specc.ir.simulation import Capacity
from specc.ir.trees import rebuilt
from specc.ir.vocabulary import Node
from specc.ir.workload import LengthBin, RequestKind, Slo
from specc.plan import Setup, Task
from specc.results import Configuration, Factor, Sensitivity, Turn, objective_of, short_label
from specc.run.configurations import configurations
from specc.run.evaluate import Evaluated

LESS, MORE = 0.9, 1.1  # what a report draws
FAR = (0.8, 1.25)  # up to where another configuration may turn out to be better
MOST_COMPARED = 4  # configurations that may turn out to be better
_LARGEST_SHARE = 0.999

Identity = tuple[str, tuple[tuple[str, int], ...]]


def _scaled(node: Node, names: Sequence[str], times: float) -> Any:
    """Return a node with some of its numbers multiplied; what is not given stays so."""
    known = {name: getattr(node, name) for name in names}
    return evolve(node, **{n: times * x for n, x in known.items() if x is not None})


def _numbers(node: Node) -> list[str]:
    return [f.name for f in fields(type(node)) if isinstance(getattr(node, f.name), float)]


def _whole(value: int, times: float) -> int:
    return max(1, round(value * times))


def _lengths(name: str) -> Callable[[Any, float], Any]:
    """Return a change of the lengths of prompts, or of outputs."""
    place = 0 if name == "input" else 1

    def change(node: Any, times: float) -> Any:
        if isinstance(node, LengthBin):
            low, high = getattr(node, name)
            low = _whole(low, times)
            moved: dict[str, Any] = {name: (low, max(low + 1, _whole(high, times)))}
            if node.means is not None:
                means = list(node.means)
                means[place] = _whole(means[place], times)
                moved["means"] = tuple(means)
            return evolve(node, **moved)
        given = getattr(node, name)
        return node if given is None else evolve(node, **{name: _whole(given, times)})

    return change


def _hits(node: Any, times: float) -> Any:
    if node.prefix_hit is None:
        return node
    return evolve(node, prefix_hit=min(_LARGEST_SHARE, times * node.prefix_hit))


def _accepted(node: Any, times: float) -> Any:
    return evolve(node, acceptance=tuple(min(1.0, times * share) for share in node.acceptance))


def _limits(metric: str) -> Callable[[Any, float], Any]:
    def change(slo: Any, times: float) -> Any:
        tails = tuple(
            evolve(b, value=times * b.value) if b.fact.startswith(f"{metric}.") else b
            for b in slo.tails
        )
        return evolve(_scaled(slo, [metric], times), tails=tails)

    return change


def _memory(node: Any, times: float) -> Any:
    seen = node.visible_memory
    own = None if seen is None else round(seen * times)
    return evolve(node, memory=round(node.memory * times), visible_memory=own)


def _host(node: Any, times: float) -> Any:
    if isinstance(node, ServedRule):
        return _scaled(node, ["request_time"], times)
    if isinstance(node, ReferenceCalibration):
        return _scaled(node, ["cube_launch", "vector_launch", "collective_launch"], times)
    times_of = ["decode_gap", "prefill_gap", "prefill_launch", "decode_launch", "sampling"]
    return _scaled(node, [*times_of, "sequence_time"], times)


@frozen(eq=False)
class Input:
    """An input that is varied: the nodes in which it stands, and how they change."""

    name: str
    kinds: tuple[type[Node], ...]
    change: Callable[[Any, float], Any]


INPUTS = (
    Input("ttft_limit", (Slo,), _limits("ttft")),
    Input("tpot_limit", (Slo,), _limits("tpot")),
    Input("load", (Fleet, Capacity), lambda node, times: _scaled(node, ["rate"], times)),
    Input("prompt", (RequestKind, LengthBin), _lengths("input")),
    Input("output", (RequestKind, LengthBin), _lengths("output")),
    Input("prefix_hit", (RequestKind, LengthBin), _hits),
    Input("acceptance", (Speculative,), _accepted),
    Input(
        "memory_bandwidth",
        (Device, ReferenceCalibration),
        lambda node, times: _scaled(node, ["memory_bandwidth"], times),
    ),
    Input("memory", (Device,), _memory),
    Input(
        "compute",
        (CubeUnit, VectorUnit),
        lambda node, times: _scaled(node, _numbers(node), times),
    ),
    Input(
        "link_bandwidth",
        (Level, Transfer),
        lambda node, times: _scaled(node, ["bandwidth"], times),
    ),
    Input("host", (GenerationRule, ServedRule, ReferenceCalibration), _host),
)


def varied(study: Study, what: Input, times: float) -> Study:
    """Return a study with one of its inputs multiplied."""

    def changed(node: Node) -> Any:
        return what.change(node, times) if isinstance(node, what.kinds) else node

    workload, deployments, capacity = rebuilt(_inputs(study), changed)
    return evolve(study, workload=workload, deployments=deployments, capacity=capacity)


@frozen(eq=False)
class _Case:
    """A study with one input changed, and the tasks of its configurations."""

    name: str
    times: float
    study: Study
    tasks: tuple[Task, ...]


def sensitivity(
    study: Study,
    found: Sequence[Configuration],
    known: Mapping[str, Evaluated],
    evaluated: Callable[[Sequence[Task]], Mapping[str, Evaluated]],
) -> Sensitivity | None:
    """Return how the first of some configurations moves with the inputs of its study.

    Args:
        study: as it was asked.
        found: its configurations, the recommended one first.
        known: what was found for their tasks.
        evaluated: evaluates tasks.
    """
    compared = [c for c in found if c.feasible][:MOST_COMPARED]
    if not compared or not compared[0].throughput:
        return None
    tasks = {i.task: known[i.task].task for c in compared for i in c.instances}
    base = _Case("", 1.0, study, tuple(tasks.values()))
    cases = [base, *_cases(study, base.tasks, FAR if len(compared) > 1 else ())]
    results = evaluated([task for case in cases for task in case.tasks])
    values = {(case.name, case.times): _values(case, results) for case in cases}
    return _summed(study, compared, values)


def _cases(study: Study, tasks: Sequence[Task], far: Sequence[float]) -> Iterator[_Case]:
    for what in INPUTS:
        near = [varied(study, what, times) for times in (LESS, MORE)]
        if _inputs(near[0]) == _inputs(near[1]):  # such as hits of 0 %, which have no tenth
            continue
        further = [varied(study, what, times) for times in far]
        for times, changed in zip((LESS, MORE, *far), (*near, *further), strict=True):
            yield _Case(what.name, times, changed, tuple(_moved(changed, study, tasks)))


def _inputs(study: Study) -> tuple[object, ...]:
    return study.workload, study.deployments, study.capacity


def _moved(changed: Study, study: Study, tasks: Sequence[Task]) -> Iterator[Task]:
    """Yield tasks as they are in a changed study."""
    for name, own in groupby(tasks, lambda task: task.deployment.name):
        before, after = study.deployment(name), changed.deployment(name)
        workload = planned_workload(changed, after)
        for task in own:
            phase = task.phase
            place = _place(task.deployment, before.instances(phase))
            requests = workload.uncached if phase is Phase.DECODE else workload
            setup = Setup(requests, after.instances(phase)[place], phase)
            yield Task(setup, task.layout, task.drafted)


def _place(instance: Deployment, instances: Sequence[Deployment]) -> int:
    return next(n for n, one in enumerate(instances) if one == instance)


def _values(case: _Case, results: Mapping[str, Evaluated]) -> dict[Identity, Configuration]:
    """Return the configurations of a case that keep the limits."""
    listed: dict[Identity, Configuration] = {}
    study = case.study
    for deployment in study.deployments:
        own = [results[t.key] for t in case.tasks if t.deployment.name == deployment.name]
        if not own:
            continue
        sized = evolve(deployment, fleet=fleet_of(study, deployment))
        workload: Workload = planned_workload(study, deployment)
        of_deployment, _ = configurations(sized, workload, own)
        for found in of_deployment:
            if found.feasible:
                listed.setdefault(identity(found), found)
    return listed


def identity(found: Configuration) -> Identity:
    """Return what a configuration is, however many instances of however large a batch it has."""
    return found.deployment, tuple((g.parallel, g.devices) for g in found.instances)


Values = Mapping[tuple[str, float], Mapping[Identity, Configuration]]


def _summed(study: Study, compared: Sequence[Configuration], values: Values) -> Sensitivity | None:
    objective, best = study.objective, compared[0]
    at_base = values["", 1.0]
    mine = identity(best)
    if mine not in at_base:
        return None
    # Where a simulation put a configuration, the closed form moves it from there. What is ahead of
    # the recommendation by closed form, and is not as simulated, tells nothing.
    offsets = {}
    for each in compared:
        who = identity(each)
        if who in at_base:
            offsets[who] = _offset(each, at_base[who], objective)
    stands = {who: _moved_by(objective_of(at_base[who], objective), offsets[who], objective)
              for who in offsets}  # fmt: skip
    offsets = {w: offset for w, offset in offsets.items() if stands[w] <= stands[mine]}
    factors = []
    for what in INPUTS:
        if (what.name, LESS) not in values:
            continue
        rows = {times: values.get((what.name, times), {}) for times in (LESS, MORE, *FAR)}
        rows[1.0] = at_base
        scores = {
            times: {
                who: _moved_by(objective_of(found, objective), offsets[who], objective)
                for who, found in row.items()
                if who in offsets
            }
            for times, row in rows.items()
        }
        factors.append(
            Factor(
                name=what.name,
                low=_positive(scores[LESS].get(mine)),
                high=_positive(scores[MORE].get(mine)),
                devices=(_devices(rows[LESS].get(mine)), _devices(rows[MORE].get(mine))),
                turns=tuple(_turns(scores, mine, compared)) if len(compared) > 1 else (),
            )
        )
    base = abs(stands[mine])
    factors.sort(key=lambda factor: -_reach(factor, base))
    return Sensitivity(objective.value, base, tuple(factors))


def _positive(score: float | None) -> float | None:
    """Return a value that is ranked by: of devices fewer are better, so they count below zero."""
    return None if score is None else abs(score)


def _devices(found: Configuration | None) -> int | None:
    return None if found is None else found.devices


def _offset(found: Configuration, closed: Configuration, objective: Objective) -> float:
    """Return what the simulation says beside the closed form: a difference, or a multiple.

    Under a load that is given all configurations serve it: nothing but the rate that they carry
    tells them apart, where that was searched.
    """
    mine, planned = (objective_of(c, objective) for c in (found, closed))
    if objective is Objective.FEWEST_DEVICES:
        return mine - planned
    if found.load is None or found.load.rate is None:
        return mine / planned
    return 1.0 if found.capacity is None else found.capacity / found.planned_rate


def _moved_by(value: float, offset: float, objective: Objective) -> float:
    return value + offset if objective is Objective.FEWEST_DEVICES else value * offset


def _reach(factor: Factor, base: float) -> float:
    ends = [base if end is None else end for end in (factor.low, factor.high)]
    lost = None in (factor.low, factor.high)
    return math.inf if lost else max(abs(end / base - 1) for end in ends)


def _turns(
    scores: Mapping[float, Mapping[Identity, float]],
    mine: Identity,
    compared: Sequence[Configuration],
) -> Iterator[Turn]:
    """Yield the nearest points on both sides at which another configuration is better."""
    labels = {identity(c): name_of(c, compared) for c in compared}
    for side in ((1.0, LESS, FAR[0]), (1.0, MORE, FAR[1])):
        for near, far in pairwise(side):
            own = scores[far].get(mine, -math.inf)
            better = {who: s for who, s in scores[far].items() if s > own}
            if better:
                who = max(better, key=lambda one: better[one])
                yield Turn(_crossing(scores, mine, who, near, far), labels[who])
                break


def _crossing(
    scores: Mapping[float, Mapping[Identity, float]],
    mine: Identity,
    other: Identity,
    near: float,
    far: float,
) -> float:
    """Return where another one gets ahead; at the far multiple if a limit is in the way."""
    gaps = []
    for times in (near, far):
        own, its = scores[times].get(mine), scores[times].get(other)
        if own is None or its is None:
            return far
        gaps.append(own - its)
    if gaps[0] <= 0 or gaps[0] == gaps[1]:
        return far
    return near + (far - near) * gaps[0] / (gaps[0] - gaps[1])


def name_of(found: Configuration, among: Sequence[Configuration]) -> str:
    """Name a configuration by what tells it from some others."""
    layouts = " + ".join(
        f"{'' if g.phase == 'whole' else g.phase + ' '}{short_label(g.parallel)}"
        for g in found.instances
    )
    several = len({c.deployment for c in among}) > 1
    return f"{found.deployment}, {layouts}" if several else layouts
