"""The document of a difference: what changed, what is recommended now, and what caused it."""

from collections.abc import Iterator, Sequence

from specc.ir import Objective, facts
from specc.report import format as show
from specc.report.charts.tornado import signed
from specc.report.document import (
    Column,
    Depth,
    Heading,
    Note,
    Remarks,
    ReportBlock,
    ReportDocument,
    Row,
    Table,
    Text,
)
from specc.report.headline import title_of
from specc.report.words import capital
from specc.results.diff import Cause, Change, Move, ResultsDifference, StudyDifference

NOTHING = "nothing that keeps the limits"


def difference(found: ResultsDifference) -> ReportDocument:
    """Return the document of what two results differ in."""
    return ReportDocument(f"{found.old} → {found.new}", tuple(_blocks(found)))


def _blocks(found: ResultsDifference) -> Iterator[ReportBlock]:
    old, new = found.versions
    if old != new:
        yield _note("versions", f"specc {old} found the old results, specc {new} the new ones.")
    if not found.studies:
        yield _text("same", "Nothing differs: inputs, recommendations and figures are the same.")
        return
    for number, study in enumerate(found.studies, start=1):
        yield from _study(study, f"diff-{number}")
    if found.same:
        are = "1 other study is" if found.same == 1 else f"{found.same} other studies are"
        yield _text("rest", f"{are} the same.")


def _study(study: StudyDifference, slug: str) -> Iterator[ReportBlock]:
    yield Heading(id=slug, text=study.study, level=2, depth=Depth.SUMMARY)
    yield _text(f"{slug}-recommendation", _recommended(study))
    if study.changes:
        yield Table(
            id=f"{slug}-inputs",
            title="Inputs that changed",
            whole=True,
            columns=tuple(Column(t, numeric=False) for t in ("Input", "Old", "New")),
            rows=tuple(Row(_values(change)) for change in study.changes),
            depth=Depth.SUMMARY,
        )
    else:
        yield _text(f"{slug}-inputs", "No input of it changed.")
    if study.moves:
        yield Table(
            id=f"{slug}-figures",
            title="Figures of the recommendation",
            whole=True,
            columns=(
                Column("Figure", numeric=False), Column("Old"), Column("New"), Column("Change"),
            ),
            rows=tuple(Row(_moved(move)) for move in study.moves),
            depth=Depth.SUMMARY,
        )  # fmt: skip
    if study.causes:
        yield Table(
            id=f"{slug}-causes",
            title=f"What caused the change of {_objective(study)}",
            columns=(
                Column("Input", numeric=False),
                Column("Alone"),
                Column("After all others"),
                Column("Recommends", numeric=False),
            ),
            rows=tuple(Row(_caused(cause, study)) for cause in study.causes),
            note=_tried(study.causes),
            depth=Depth.SUMMARY,
        )
    judged = [e for e in study.expectations if e.old is not e.new or e.new is False]
    if judged:
        yield Remarks(
            id=f"{slug}-expectations",
            title="Expectations",
            remarks=tuple(
                f"{e.expectation}: {_met(e.old)} before, {_met(e.new)} now." for e in judged
            ),
            depth=Depth.SUMMARY,
        )


def _tried(causes: Sequence[Cause]) -> str:
    """Say what the two columns of effects are, and what they are shares of."""
    said = (
        "Each change was made alone, on the old inputs, and last, after all others; both are "
        "shares of the old value."
    )
    interact = any(cause.interacts for cause in causes)
    return f"{said} Where the two differ, changes act on each other." if interact else said


def _recommended(study: StudyDifference) -> str:
    """Say what is recommended, and how the objective changed, in a sentence."""
    what = study.objective.replace("_", " ")
    moved = ""
    if study.change is not None and study.objective != Objective.FEWEST_DEVICES.value:
        good = "better" if study.change > 0 else "worse"
        moved = (
            f" Its {what} is {show.percent(abs(study.change))} {good}."
            if abs(study.change) >= _LEAST
            else f" Its {what} is the same."
        )
    if not study.is_another:
        return f"The recommendation is the same: {study.new or NOTHING}.{moved}"
    return f"Recommended was {study.old or NOTHING}; now it is {study.new or NOTHING}.{moved}"


_LEAST = 5e-4  # of the objective, that a sentence calls a change


def _values(change: Change) -> tuple[str, str, str]:
    if change.old is None and change.new is None:
        return change.what, "…", "…"
    return change.what, change.old or "–", change.new or "–"


def _moved(move: Move) -> tuple[str, str, str, str]:
    if facts.is_statistic(move.fact):
        of, shown, name = "", move.fact, title_of(move.fact)
    else:
        of, _, shown = move.fact.rpartition(".")
        name = facts.fact(shown).title
    texts = tuple("–" if v is None else show.fact(shown, v) for v in (move.old, move.new))
    change = "–"
    if move.old and move.new is not None:
        change = signed(move.new / move.old - 1)
    return capital(f"{name} of {of}" if of else name), texts[0], texts[1], change


def _objective(study: StudyDifference) -> str:
    return study.objective.replace("fewest_", "").replace("_", " ")


def _caused(cause: Cause, study: StudyDifference) -> tuple[str, str, str, str]:
    # Fewer devices are better, and shown as fewer.
    sign = -1 if study.objective == Objective.FEWEST_DEVICES.value else 1
    alone, last = (
        "nothing feasible" if v is None else signed(sign * v) for v in (cause.alone, cause.last)
    )
    return cause.what, alone, last, cause.recommendation or "the same"


def _met(met: bool | None) -> str:
    return "not there" if met is None else "met" if met else "NOT MET"


def _text(id_: str, text: str) -> Text:
    return Text(id=id_, text=text, depth=Depth.SUMMARY)


def _note(id_: str, text: str) -> Note:
    return Note(id=id_, text=text, depth=Depth.SUMMARY)
