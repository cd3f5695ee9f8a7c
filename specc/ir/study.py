"""Studies, and the document that holds all that one spec asks."""

from enum import Enum

from attrs import frozen

from specc.ir import vocabulary as v
from specc.ir.calibration import CalibrationData
from specc.ir.deployment import Deployment, Objective
from specc.ir.device import Device
from specc.ir.formula import ExpectedCondition
from specc.ir.model import Model
from specc.ir.simulation import Capacity, MeasuredServer, Simulate
from specc.ir.workload import Workload
from specc.records import Record


class Varied(Enum):
    """Which inputs are varied to see how the recommendation moves."""

    EACH_INPUT = "each_input"
    NONE = "none"


@frozen(kw_only=True, eq=False, repr=False)
class Study(v.Node):
    """One question: which deployment and layout serves this workload best?"""

    expectations: tuple[ExpectedCondition, ...] = ()
    # What a sweep set in this variant of the study: pairs of path and value.
    settings: tuple[tuple[str, str], ...] = ()
    unsimulated: bool = False  # simulate = none: the figures are those of the closed form

    workload: Workload = v.reference("workload", "the requests and their objectives")
    deployments: tuple[Deployment, ...] = v.references("deployment", "what to compare")
    servers: tuple[MeasuredServer, ...] = v.references(
        "server", "measured servers to simulate, instead of deployments"
    )
    simulate: Simulate | None = v.block(
        Simulate, "a request-level simulation: queues, percentiles, goodput", optional=True
    )
    capacity: Capacity | None = v.block(
        Capacity, "the highest rate that meets the objectives", optional=True
    )
    sensitivity: Varied = v.choice(
        Varied,
        "how the recommendation moves if an input is a tenth less, or more, and where another "
        "configuration is better; of a swept study nothing is varied besides",
        default=Varied.EACH_INPUT,
    )

    @property
    def variant(self) -> str:
        """What a sweep set in this variant of a study: `a = 1, b = 2`; empty of others."""
        return ", ".join(f"{path} = {value}" for path, value in self.settings)

    @property
    def instances(self) -> tuple[Deployment, ...]:
        """What the instances of all deployments are, one for each phase and size to try."""
        return tuple(i for deployment in self.deployments for i in deployment.all_instances)

    def deployment(self, name: str) -> Deployment:
        """Return one of its deployments by name."""
        return next(d for d in self.deployments if d.name == name)

    @property
    def objective(self) -> Objective:
        """What the study ranks by; the checker sees to it that its deployments agree."""
        if not self.deployments:
            return Objective.THROUGHPUT
        rated = self.simulate is None and self.capacity is not None and self.capacity.rate
        usual = Objective.FEWEST_DEVICES if rated else self.deployments[0].objective
        return self.deployments[0].search.maximize or usual


@frozen(eq=False, repr=False)
class Document(Record):
    """The typed meaning of one spec file: its studies, with all they refer to."""

    studies: tuple[Study, ...]


# The kinds of named blocks of a file.
KINDS: dict[str, type[v.Node]] = {
    "workload": Workload,
    "model": Model,
    "calibration": CalibrationData,
    "device": Device,
    "deployment": Deployment,
    "server": MeasuredServer,
    "study": Study,
}
