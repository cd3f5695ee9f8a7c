"""Studies, and the document that holds all that one spec asks."""

from collections.abc import Mapping
from typing import ClassVar

from attrs import frozen

from specc.ir import vocabulary as v
from specc.ir.calibration import CalibrationData
from specc.ir.deployment import Deployment, Objective
from specc.ir.device import Device
from specc.ir.formula import Expectation
from specc.ir.model import Model
from specc.ir.workload import Workload


@frozen(kw_only=True, eq=False, repr=False)
class Study(v.Node):
    """One question: which deployment and layout serves this workload best?"""

    expectations: tuple[Expectation, ...] = ()
    # What a sweep set in this variant of the study: pairs of path and value.
    settings: tuple[tuple[str, str], ...] = ()

    planned: ClassVar[Mapping[str, str]] = {
        "simulate": "a request-level simulation",
        "capacity": "a search for the capacity",
    }

    workload: Workload = v.reference("workload", "the requests and their objectives")
    deployments: tuple[Deployment, ...] = v.references("deployment", "what to compare")

    @property
    def objective(self) -> Objective:
        """What the study ranks by; the checker sees to it that its deployments agree."""
        return self.deployments[0].objective


@frozen
class Document:
    """The typed meaning of one spec file: its studies, with all they refer to."""

    studies: tuple[Study, ...]


# The kinds of named blocks of a file.
KINDS: dict[str, type[v.Node]] = {
    "workload": Workload,
    "model": Model,
    "calibration": CalibrationData,
    "device": Device,
    "deployment": Deployment,
    "study": Study,
}
