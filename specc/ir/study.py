"""Studies, and the document that holds all that one spec asks."""

from attrs import evolve, frozen

from specc.ir import vocabulary as v
from specc.ir.calibration import CalibrationData
from specc.ir.deployment import Deployment, Objective
from specc.ir.device import Device
from specc.ir.formula import ExpectedCondition
from specc.ir.model import Model
from specc.ir.simulation import Capacity, MeasuredServer, Simulate
from specc.ir.workload import Workload
from specc.records import Record


@frozen(kw_only=True, eq=False, repr=False)
class Study(v.Node):
    """One question: which deployment and layout serves this workload best?"""

    expectations: tuple[ExpectedCondition, ...] = ()
    # What a sweep set in this variant of the study: pairs of path and value.
    settings: tuple[tuple[str, str], ...] = ()

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

    @property
    def planned_workload(self) -> Workload:
        """The workload with the limits that closed forms and step loops judge.

        Where a simulation follows, it judges TTFT: in closed form all requests come at once and
        wait for each other, at an arrival rate they do not. The narrowest limit on TPOT holds for
        the mean: what exceeds it breaks that as well.
        """
        slo = self.workload.slo
        if self.simulate is None:
            return self.workload
        limits = [b.value for b in slo.objectives if b.fact.startswith("tpot.")]
        planned = evolve(slo, ttft=None, tpot=min(limits, default=None), tails=())
        return evolve(self.workload, slo=planned)

    @property
    def instances(self) -> tuple[Deployment, ...]:
        """What the instances of all deployments are, one for each phase and size to try."""
        return tuple(
            i for d in self.deployments for phase in d.mode.phases for i in d.instances(phase)
        )

    @property
    def objective(self) -> Objective:
        """What the study ranks by; the checker sees to it that its deployments agree."""
        return self.deployments[0].objective if self.deployments else Objective.THROUGHPUT


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
