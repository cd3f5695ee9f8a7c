"""The heading of a study, its documentation, and its question: which load, under which limits."""

import math
from collections.abc import Iterator

from attrs import evolve

from specc.ir import Phase, Study, Workload
from specc.ir.load import LoadKind, fleet_rate, load_kind
from specc.report import format as show
from specc.report.document import Depth, Heading, ReportBlock, Text
from specc.report.study import ReportedStudy
from specc.report.words import objectives
from specc.units import counted


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the heading of a study and what it asks."""
    yield Heading(id=study.slug, text=study.study.name, level=2, depth=study.summary)
    if study.study.doc:
        yield Text(id=study.id("about"), text=study.study.doc, lead=True)
    yield Text(id=study.id("question"), text=_question(study.study), depth=study.summary)


def swept(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the heading of a swept study, and over what it is swept."""
    first = study.study
    yield Heading(id=first.name, text=first.name, level=2, depth=Depth.SUMMARY)
    if first.doc:
        yield Text(id=study.sweep_id("about"), text=first.doc, lead=True)
    values: dict[str, dict[str, None]] = {}
    for variant in study.variants:
        for path, value in variant.study.settings:
            values.setdefault(path, {})[value] = None
    over = "; ".join(f"{path} in {', '.join(own)}" for path, own in values.items())
    text = f"Swept: {over}. {_judged(first)}. {_load(first)}".strip()
    yield Text(id=study.sweep_id("question"), text=text, depth=Depth.SUMMARY)


def variant(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the heading of one variant of a swept study."""
    settings = study.study.variant
    yield Heading(
        id=study.slug,
        text=f"{study.study.name} with {settings}",
        level=2,
        folded=True,
        depth=Depth.PAGE,
    )
    yield Text(id=study.id("question"), text=_question(study.study), depth=Depth.PAGE)


def _question(study: Study) -> str:
    workload = study.workload
    counts = [part.images.count for part in workload.parts if part.images is not None]
    some = " in some of them" if len(counts) < len(workload.parts) else ""
    images = f", {counted(max(counts), 'image')}{some}" if counts else ""
    return f"{_lengths(study)}{images}; {_judged(study)}. {_load(study)}".strip()


def _load(study: Study) -> str:
    """Say under which load the question is answered; a block of the spec says it further down."""
    if study.simulate is not None or study.servers:
        return ""
    kinds = {load_kind(study, deployment) for deployment in study.deployments}
    if kinds == {None}:
        return "Answered by the closed form, without queueing."
    if LoadKind.RATE in kinds:
        rates = {fleet_rate(study, d) for d in study.deployments} - {None}
        said = " and ".join(f"{show.quantity(rate)}" for rate in sorted(filter(None, rates)))
        return f"Answered by simulation of requests at {said} req/s."
    return "Answered by simulation of as many clients as keep the limits."


def _judged(study: Study) -> str:
    """Say the objectives, and which of them no instance of the study has."""
    if study.workload.classes:
        return "; ".join(_classes(study.workload))
    slo = study.workload.slo
    phases = {phase for d in study.deployments for phase in d.mode.phases}
    alone = next(iter(phases)) if len(phases) == 1 else Phase.WHOLE
    if alone is Phase.PREFILL and slo.tpot is not None:
        return f"{objectives(evolve(slo, tpot=None))}; TPOT does not apply to prefill-only"
    if alone is Phase.DECODE and slo.ttft is not None:
        return f"{objectives(evolve(slo, ttft=None))}; TTFT does not apply to decode-only"
    return objectives(slo)


def _classes(workload: Workload) -> Iterator[str]:
    """Yield the share, the place in the queue and the objectives of each class."""
    ranked = len({one.priority for one in workload.classes}) > 1
    for one, share in zip(workload.classes, workload.shares, strict=True):
        place = f", priority {one.priority}" if ranked else ""
        yield f"{one.name} ({show.percent(share)}{place}): {objectives(one.slo)}"


def _lengths(study: Study) -> str:
    shapes = study.workload.shapes()
    prompt, cached, output = (
        math.fsum(s.share * getattr(s, name) for s in shapes)
        for name in ("input", "cached", "output")
    )
    hit = f" ({show.percent(cached / prompt)} cached)" if cached else ""
    if len(shapes) == 1:
        return (
            f"{counted(shapes[0].input, 'prompt token')}{hit}, "
            f"{counted(shapes[0].output, 'output token')}"
        )
    kinds = f"{len(shapes)} request lengths"
    if study.workload.classes:
        several = len(study.workload.classes)
        kinds = f"{several} class{'es' if several > 1 else ''} of requests"
    return (
        f"{kinds}, on average {show.tokens(prompt)} prompt tokens{hit} and "
        f"{show.tokens(output)} output tokens"
    )
