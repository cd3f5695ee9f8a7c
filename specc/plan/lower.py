"""Lowering: from the studies of a document to tasks that can run one by one."""

import hashlib
import json

from attrs import frozen

from specc.cost import Layout
from specc.ir import Deployment, Document, Study, Workload
from specc.ir.json import to_json
from specc.search import layouts


@frozen
class Task:
    """One candidate to evaluate: a workload on a deployment in a layout."""

    workload: Workload
    deployment: Deployment
    layout: Layout

    @property
    def key(self) -> str:
        """A hash of all that the outcome depends on."""
        text = json.dumps(to_json(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@frozen
class PrunedCandidate:
    """A combination of sizes that was dropped before evaluation, with the reason."""

    deployment: str
    label: str
    reason: str


@frozen
class PlannedStudy:
    """A study with its tasks."""

    study: Study
    tasks: tuple[Task, ...]
    pruned: tuple[PrunedCandidate, ...]


@frozen
class Plan:
    """All that one spec asks to evaluate."""

    studies: tuple[PlannedStudy, ...]


def lower(document: Document) -> Plan:
    """Turn each study into its tasks."""
    return Plan(tuple(_lower_study(study) for study in document.studies))


def _lower_study(study: Study) -> PlannedStudy:
    tasks: list[Task] = []
    pruned: list[PrunedCandidate] = []
    for deployment in study.deployments:
        space = layouts(deployment)
        tasks += [Task(study.workload, deployment, layout) for layout in space.layouts]
        pruned += [PrunedCandidate(deployment.name, p.label, p.reason) for p in space.pruned]
    return PlannedStudy(study, tuple(tasks), tuple(pruned))
