"""Rules of a fleet: how many instances there are."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import Deployment


def aimless(deployment: Deployment) -> Iterator[Diagnostic]:
    """A fleet has a size, or a rate to serve."""
    fleet = deployment.fleet
    if fleet is not None and fleet.devices is None and fleet.rate is None:
        yield Diagnostic(
            "E0401",
            "the fleet has neither a size nor a rate",
            (label_of(fleet, "", "", deployment),),
            help="write devices = 64 to find what it serves, or rate = 20 req/s to find what it "
            "needs",
        )


def headroom_of_nothing(deployment: Deployment) -> Iterator[Diagnostic]:
    """Headroom is a share of a rate."""
    fleet = deployment.fleet
    if fleet is not None and fleet.rate is None and "headroom" in fleet.spans:
        yield Diagnostic(
            "E0486",
            "'headroom' has no effect here",
            (label_of(fleet, "headroom", "beyond which rate?", deployment),),
            help="write rate = 20 req/s in the fleet, or remove it",
        )


def too_small(deployment: Deployment) -> Iterator[Diagnostic]:
    """A fleet consists of whole instances."""
    fleet = deployment.fleet
    if fleet is None:
        return
    sizes = [
        min((i.size for i in deployment.instances(phase) if i.devices), default=0)
        for phase in deployment.mode.phases
    ]
    # As many engines as share devices fail and serve together.
    sets = -(-(1 + fleet.spare) // deployment.engine.per_device)
    least = sum(sizes) * sets
    if fleet.devices is not None and fleet.devices < least:
        each = " and ".join(str(size) for size in sizes)
        with_spare = f", times {sets} with the spares" if fleet.spare else ""
        yield Diagnostic(
            "E0442",
            f"a fleet of {fleet.devices} devices is smaller than one "
            + ("pair of instances" if len(sizes) == 2 else "instance"),
            (label_of(fleet, "devices", f"at least {least} are needed", deployment),),
            why=f"instances have {each} devices{with_spare}",
        )
