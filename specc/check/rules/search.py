"""Rules of the search of a deployment: its objective, and limits on money and energy."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic, Label
from specc.ir import Deployment, Device, Objective, Strategy


def prices(deployment: Deployment) -> Iterator[Diagnostic]:
    """What counts money or energy needs the price or the power of every device."""
    search = deployment.search
    if not search.limits and deployment.objective is not Objective.THROUGHPUT_PER_COST:
        return
    from specc.ir.facts import fact

    wanted = {fact(b.fact).needs: Label(b.spans[""], "needs it") for b in search.limits}
    if deployment.objective is Objective.THROUGHPUT_PER_COST:
        wanted.setdefault("price", label_of(search, "maximize", "needs it", deployment))
    for field in ("price", "power"):
        for device in _devices(deployment).values() if field in wanted else ():
            if getattr(device, field) is None:
                first = wanted[field]
                unit = "12 CNY/h" if field == "price" else "400 W"
                yield Diagnostic(
                    "E0401",
                    f"the device '{device.name}' has no {field}",
                    (first, label_of(deployment, "device", "this device")),
                    help=f"write device mine extends {device.name} {{ {field} = {unit} }}",
                )


def currencies(deployment: Deployment) -> Iterator[Diagnostic]:
    """A limit on money is in the currency of the prices."""
    devices = _devices(deployment).values()
    currencies = {d.price.currency for d in devices if d.price}
    for bound in deployment.search.limits:
        if bound.currency and currencies and currencies != {bound.currency}:
            yield Diagnostic(
                "E0444",
                f"the limit is in {bound.currency}, the prices in {', '.join(sorted(currencies))}",
                (Label(bound.spans[""], "this limit"),),
                why="specc knows no exchange rates",
            )


def rate_of_fewest_devices(deployment: Deployment) -> Iterator[Diagnostic]:
    """The fewest devices for a rate."""
    if deployment.objective is Objective.FEWEST_DEVICES and (
        deployment.fleet is None or deployment.fleet.rate is None
    ):
        yield Diagnostic(
            "E0443",
            "'fewest_devices' needs a rate to serve",
            (label_of(deployment.search, "maximize", "without a rate", deployment),),
            help="write fleet { rate = 20 req/s }",
        )


def relaxation(deployment: Deployment) -> Iterator[Diagnostic]:
    """One strategy relaxes the objectives."""
    search = deployment.search
    if "slo_relax" in search.spans and search.strategy is not Strategy.LINEAR_EXPONENTIAL:
        yield Diagnostic(
            "E0446",
            "'slo_relax' is a setting of linear_exponential",
            (label_of(search, "slo_relax", "no effect with another strategy"),),
            help="write strategy = linear_exponential, or remove it",
        )


def _devices(deployment: Deployment) -> dict[str, Device]:
    return {i.device.name: i.device for i in deployment.all_instances}
