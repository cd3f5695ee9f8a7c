"""From results to a document: the blocks of every section of every study, in order."""

from collections.abc import Iterator, Sequence

from specc.report.document import Depth, Note, ReportBlock, ReportDocument
from specc.report.sections import (
    CLOSING,
    MEASURED,
    SECTIONS,
    SIMULATION_SECTIONS,
    Section,
    expectations,
)
from specc.report.sections.requests import statistics
from specc.report.study import ReportedStudy
from specc.results import Comparison, Metrics, Results, shown_whole


def report(results: Results, comparisons: Sequence[Comparison] = ()) -> ReportDocument:
    """Return the document of a whole report, with what was measured of it."""
    closing = (block for section in CLOSING for block in section(results))
    compared = (block for section in MEASURED for block in section(comparisons))
    blocks = (*compared, *_studies(results, SECTIONS), *closing)
    return ReportDocument(_title(results), blocks)


def simulated(results: Results) -> ReportDocument:
    """Return the document of what was simulated."""
    return ReportDocument(_title(results), tuple(_studies(results, SIMULATION_SECTIONS)))


def interrupted(name: str, metrics: Metrics) -> ReportDocument:
    """Return the document of a simulation that was stopped: what it saw until then."""
    if metrics.finished + metrics.rejected >= metrics.requests:
        what = "the simulation itself was done, the searches after it were not"
    else:
        what = (
            f"{metrics.finished:,} of {metrics.requests:,} requests of '{name}' were served; what "
            "follows is of these alone, and favours early requests"
        )
    seen = statistics("latencies", "Requests simulated so far", metrics, Depth.SUMMARY)
    note = Note(id="interrupted", text=f"interrupted: {what}", depth=Depth.SUMMARY)
    return ReportDocument(name, (note, seen))


def _title(results: Results) -> str:
    return results.header.spec.removesuffix(".spec")


def _studies(results: Results, sections: Sequence[Section]) -> Iterator[ReportBlock]:
    for name in dict.fromkeys(result.study.name for result in results.studies):
        variants = tuple(result for result in results.studies if result.study.name == name)
        whole = tuple(shown_whole(variants))
        studies = [ReportedStudy(result, variants, whole) for result in variants]
        for study in studies:
            if study.is_whole:
                yield from (block for section in sections for block in section(study))
        for study in studies:
            if not study.is_whole:
                yield from expectations.blocks(study)
