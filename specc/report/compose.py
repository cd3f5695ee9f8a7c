"""From results to a document: the blocks of every section of every study, in order."""

from collections.abc import Iterator, Sequence

from attrs import evolve

from specc.report.document import Depth, Note, ReportBlock, ReportDocument
from specc.report.sections import (
    CLOSING,
    MEASURED,
    OF_ALL,
    SECTIONS,
    SIMULATION_SECTIONS,
    SWEPT,
    Section,
    expectations,
    inputs,
    question,
)
from specc.report.sections.requests import statistics
from specc.report.study import ReportedStudy
from specc.results import Comparison, Metrics, Results, StudyResult, shown_whole


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
        if len(variants) == 1:
            study = ReportedStudy(variants[0], variants, whole)
            yield from (block for section in sections for block in section(study))
        else:
            yield from _swept(variants, whole, sections)


def _swept(
    variants: Sequence[StudyResult], whole: Sequence[StudyResult], sections: Sequence[Section]
) -> Iterator[ReportBlock]:
    """Yield a swept study as one section, then in it the variants that are shown whole."""
    studies = [ReportedStudy(result, tuple(variants), tuple(whole)) for result in variants]
    first = next(study for study in studies if study.is_first)
    yield from (block for section in SWEPT for block in section(first))
    unmet = [s for s in studies if not all(v.met for v in s.result.verdicts)]
    yield from (block for study in unmet for block in expectations.blocks(study))
    if sections is SECTIONS:
        yield from inputs.swept(first)
    for study in studies:
        if study.is_whole:
            yield from question.variant(study)
            for section in sections:
                if section not in OF_ALL and not (
                    section is expectations.blocks and study in unmet
                ):
                    yield from (evolve(block, depth=Depth.PAGE) for block in section(study))
