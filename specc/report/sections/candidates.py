"""The feasible candidates of each phase with their metrics."""

from collections.abc import Iterator

from specc.report.columns import Cells, columns, detailed, metrics, of_candidate, table, text
from specc.report.document import Depth, ReportBlock
from specc.report.study import ReportedStudy
from specc.report.words import limited_by
from specc.results import Candidate

_TITLES = {
    "whole": "Candidates, each at its best batch",
    "prefill": "Prefill instances, each at its best batch",
    "decode": "Decode instances, each at its best batch",
}


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield a table for each phase; a terminal shows them where they are what is chosen from."""
    for phase in study.phases:
        own = [c for c in study.feasible if c.phase == phase]
        rate = ("rate",) if phase == "whole" else ()
        cells = [
            deployment_or_devices(study),
            text("Layout", lambda c: c.instance.parallel),
            *columns(of_candidate, ("batch",), own),
            *detailed(columns(of_candidate, ("concurrency",), own)),
            *metrics(of_candidate, own, ("decode_step", *rate)),
            *detailed(columns(of_candidate, ("decode_step",), own)),
            text("Limited by", lambda c: limited_by(c.instance.stopped_by)),
        ]
        yield table(
            study.id("candidates" if phase == "whole" else f"{phase}-candidates"),
            _TITLES[phase],
            cells,
            own,
            study.is_recommended,
            note=_elsewhere(study),
            depth=study.summary if study.result.is_plain else Depth.PAGE,
        )


def _elsewhere(study: ReportedStudy) -> str:
    """Say how many candidates went to a table of all, and are not in the result file."""
    streamed = study.result.streamed
    return f"{streamed:,} more are in the table of all candidates (--table)." if streamed else ""


def deployment_or_devices(study: ReportedStudy) -> Cells:
    """Return the first column: deployments where there are several, and else the devices."""
    if study.several:
        return text("Deployment", lambda c: c.deployment)
    return text("Devices", devices_of)


def devices_of(candidate: Candidate) -> str:
    """Say how many of which device: `8 × test_device`."""
    return f"{candidate.instance.devices} × {candidate.instance.device}"
