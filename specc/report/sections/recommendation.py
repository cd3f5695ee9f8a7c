"""The first screen of a study: what to deploy, its figures, and what a reviewer asks next."""

from collections.abc import Iterator

from attrs import evolve

from specc.report import format as show
from specc.report.document import Figures, Finding, ReportBlock
from specc.report.figures import figures
from specc.report.findings import findings
from specc.report.headline import sentence
from specc.report.relaxations import relaxations
from specc.report.sections import simulation
from specc.report.study import ReportedStudy
from specc.report.words import NOTHING_FITS, capital, excess_text, miss_text
from specc.results import StudyResult
from specc.units import counted


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the card that a reader decides on."""
    card = _card(study)
    unmet = tuple(_unmet(study.result))
    yield evolve(
        card,
        id=study.id("recommendation"),
        depth=study.summary,
        findings=(*unmet, *card.findings),
    )


def _card(study: ReportedStudy) -> Figures:
    best = study.best
    if study.study.servers:
        return simulation.server_card(study)
    if best is None:
        return _nothing(study.result)
    return Figures(
        id="",
        good=study.result.feasible,
        headline=sentence(study, best),
        figures=figures(study, best),
        findings=findings(study, best),
    )


def _unmet(result: StudyResult) -> Iterator[Finding]:
    failed = sum(not verdict.met for verdict in result.verdicts)
    if failed:
        of = counted(len(result.verdicts), "expectation")
        yield Finding("Expectations", f"{failed} of {of} not met.")


def _nothing(result: StudyResult) -> Figures:
    """Say that nothing is feasible, what is nearest, and what would make it feasible."""
    several = len(result.study.deployments) > 1
    missed = [c for c in result.configurations if not c.feasible]
    if missed:
        nearest = missed[0]
        misses = ", ".join(miss_text(miss) for miss in nearest.misses)
        where = f"{nearest.deployment}, " if several else ""
        text = f"{where}{nearest.layout}: {misses}."
    else:
        text = _nearest_candidate(result, several)
    findings = [Finding("Nearest", text)]
    relaxed = relaxations(result)
    if relaxed:
        first = relaxed[0]
        help_ = (
            f"With {show.limit_name(first.miss.limit)} at "
            f"{show.fact(first.miss.limit, first.miss.value)} ({excess_text(first.miss)}) and "
            f"all else unchanged, {first.where} is feasible."
        )
        findings.append(Finding("What would help", help_))
    return Figures(id="", good=False, headline=capital(NOTHING_FITS), findings=tuple(findings))


def _nearest_candidate(result: StudyResult, several: bool) -> str:
    """Say what is nearest; where phases are apart, of the phase that has nothing feasible."""
    phases = dict.fromkeys(c.phase for c in result.candidates)
    feasible = {c.phase for c in result.candidates if c.feasible}
    short = [phase for phase in phases if phase not in feasible]
    nearest = next(
        (c for c in result.candidates if c.phase in (short or phases) and not c.feasible), None
    )
    if nearest is None:
        return "Each phase has feasible instances, but no pair of them meets the limits."
    misses = ", ".join(miss_text(miss) for miss in nearest.misses)
    where = f"{nearest.deployment}, " if several else ""
    phase = f"{nearest.phase} in " if len(phases) > 1 else ""
    layout, batch = nearest.instance.parallel, nearest.point.batch
    return f"{where}{phase}{layout} at batch {batch}: {misses}."
