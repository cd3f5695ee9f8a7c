"""Lowering: from the studies of a document to tasks that can run one by one."""

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property

from attrs import frozen

from specc._version import __version__
from specc.ir import Deployment, Document, Layout, Phase, Study, Workload
from specc.ir.json import to_json
from specc.ir.load import planned_workload
from specc.records import Record
from specc.search.space import combinations_of, layouts


@frozen(slots=False)
class Setup:
    """What tasks share: a workload on instances of one phase."""

    workload: Workload
    deployment: Deployment
    phase: Phase

    @cached_property
    def key(self) -> str:
        """A hash of all of it."""
        text = json.dumps(to_json(self.workload), sort_keys=True)
        return hash_of(text, self.cost_key, length=16)

    @cached_property
    def cost_key(self) -> str:
        """A hash of what the cost of a step depends on: all but the workload.

        The rules of the cost model are those of this version with the coefficients of a
        calibration, so both are in it.
        """
        fitted = self.deployment.fitted
        parts = [__version__, fitted, self.deployment, self.phase]
        text = json.dumps(to_json(parts), sort_keys=True)
        return hash_of(text, length=16)


@frozen(eq=False, repr=False)
class Task(Record):
    """One candidate to evaluate: instances in a layout, drafting so many tokens a step."""

    setup: Setup
    layout: Layout
    drafted: int = 0

    @property
    def key(self) -> str:
        """A hash of all that the outcome depends on."""
        return f"{self.setup.key}-{hash_of(repr((self.layout, self.drafted)))}"

    @property
    def cost_key(self) -> tuple[str, Layout, int]:
        """What tells whether two tasks have the same cost of a step."""
        return self.setup.cost_key, self.layout, self.drafted

    @property
    def workload(self) -> Workload:
        """The requests."""
        return self.setup.workload

    @property
    def deployment(self) -> Deployment:
        """The deployment, as instances of the phase have it."""
        return self.setup.deployment

    @property
    def phase(self) -> Phase:
        """What the instance does with a request."""
        return self.setup.phase


def hash_of(*texts: str, length: int = 8) -> str:
    """Return a short hash of texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:length]


@frozen(eq=False, repr=False)
class PrunedCandidate(Record):
    """A combination of sizes that was dropped before evaluation, with the reason."""

    deployment: str
    label: str
    reason: str


@frozen(eq=False, repr=False)
class PlannedStudy(Record):
    """A study with its tasks."""

    study: Study
    tasks: tuple[Task, ...]
    pruned: tuple[PrunedCandidate, ...]


@frozen(eq=False, repr=False)
class Plan(Record):
    """All that one spec asks to evaluate."""

    studies: tuple[PlannedStudy, ...]


def combinations(document: Document) -> int:
    """Return how many combinations of sizes `lower` looks at."""
    return sum(combinations_of(i) for study in document.studies for i in study.instances)


def lower(document: Document) -> Plan:
    """Turn each study into its tasks."""
    return Plan(tuple(_lower_study(study) for study in document.studies))


def _lower_study(study: Study) -> PlannedStudy:
    tasks: list[Task] = []
    pruned: list[PrunedCandidate] = []
    for deployment in study.deployments:
        for setup in _setups(study, deployment):
            space = layouts(setup.deployment)
            drafts = _drafted(setup)
            tasks += [Task(setup, layout, m) for layout in space.layouts for m in drafts]
            phase = "" if setup.phase is Phase.WHOLE else f"{setup.phase.value}: "
            pruned += [
                PrunedCandidate(deployment.name, f"{phase}{p.label}", p.reason)
                for p in space.pruned
            ]
    return PlannedStudy(study, tuple(tasks), tuple(pruned))


def _setups(study: Study, deployment: Deployment) -> Iterator[Setup]:
    for phase in deployment.mode.phases:
        workload = planned_workload(study, deployment)
        if phase is Phase.DECODE:
            # Decoding does not see which part of a prompt came from the cache: one task for all.
            workload = workload.uncached
        for instance in deployment.instances(phase):
            yield Setup(workload, instance, phase)


def _drafted(setup: Setup) -> tuple[int, ...]:
    speculative = setup.deployment.engine.speculative
    if speculative is None:
        return (0,)
    if setup.phase is Phase.PREFILL:
        return (1,) if any(speculative.tokens) else (0,)
    return speculative.tokens
