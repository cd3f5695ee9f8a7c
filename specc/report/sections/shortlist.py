"""The configurations that the simulation chose from."""

from collections.abc import Iterator

from specc.report import format as show
from specc.report.columns import detailed, milliseconds, number, table, text
from specc.report.document import ReportBlock
from specc.report.study import ReportedStudy
from specc.results import Simulated, short_label


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the table of what was simulated, where there is a choice."""
    shown = study.simulations
    if len(shown) < 2:
        return
    cells = [
        text("Name", lambda s: s.name),
        text("Layout", lambda s: short_label(s.layout)),
        *(
            detailed([number("Rank by closed form", "", lambda s: str(s.place))])
            if study.study.deployments
            else []
        ),
        *([number("Devices", "", lambda s: str(s.devices))] if study.study.deployments else []),
        *([number("Clients", "", _clients)] if any(s.clients for s in shown) else []),
        text("Meets all", lambda s: "yes" if s.meets else "no"),
        *detailed([number("Attainment", "", lambda s: show.attainment(s.metrics.attainment))]),
        *detailed([number("Goodput", "req/s", lambda s: show.quantity(s.metrics.goodput))]),
        number("TTFT mean", "ms", lambda s: milliseconds(s.metrics.statistic("ttft.mean"))),
        number("p99", "ms", lambda s: milliseconds(s.metrics.statistic("ttft.p99"))),
        number("TPOT mean", "ms", lambda s: milliseconds(s.metrics.statistic("tpot.mean"))),
        number("p99", "ms", lambda s: milliseconds(s.metrics.statistic("tpot.p99"))),
        number("Throughput", "tok/s", lambda s: show.rate(_throughput(study, s))),
        *([number("Capacity", "req/s", _capacity)] if any(s.capacity for s in shown) else []),
    ]
    yield table(
        study.id("shortlist"),
        "Simulated configurations",
        cells,
        shown,
        lambda s: s is shown[0],
        most=len(shown),
        depth=study.summary,
    )


def _throughput(study: ReportedStudy, simulated: Simulated) -> float:
    """Return the throughput of the configuration that was simulated; of a server, of its run."""
    pairs = zip(study.simulations, study.result.configurations, strict=False)
    found = next((c for s, c in pairs if s is simulated), None)
    return simulated.metrics.throughput if found is None else found.throughput


def _capacity(simulated: Simulated) -> str:
    rate = simulated.capacity.rate if simulated.capacity else None
    return "–" if rate is None else show.quantity(rate)


def _clients(simulated: Simulated) -> str:
    return "–" if simulated.clients is None else show.integer(simulated.clients)
