"""Which change of an input caused what: each is made alone, and each is made last."""

from collections.abc import Callable, Sequence

from attrs import evolve

from specc.ir import Document, Study, Varied
from specc.plan import lower
from specc.results import StudyResult
from specc.results.diff import Cause, Change, StudyDifference, applied, gain, recommendation
from specc.run.plans import run

MOST_CAUSES = 8  # changes of a study that are tried one by one


def runs_of(found: StudyDifference) -> int:
    """Return how many runs the causes of a difference take."""
    count = len(found.changes)
    return 2 * count if 1 < count <= MOST_CAUSES else 0


def causes(
    found: StudyDifference, old: StudyResult, new: StudyResult, advanced: Callable[[], None]
) -> tuple[Cause, ...]:
    """Return what each change of a study does.

    Args:
        found: what the study differs in.
        old, new: what was found before and after.
        advanced: called after each run.
    """
    if len(found.changes) == 1:
        effect = gain(old.best, new.best, new.study.objective)
        named = recommendation(new.best) if found.is_another else ""
        return (Cause(found.changes[0].what, effect, effect, named or ""),)
    if not runs_of(found):
        return ()
    return tuple(_cause(change, found.changes, old, new, advanced) for change in found.changes)


def _cause(
    change: Change,
    changes: Sequence[Change],
    old: StudyResult,
    new: StudyResult,
    advanced: Callable[[], None],
) -> Cause:
    objective = new.study.objective
    alone = _run(applied(change, old.study, new.study))
    advanced()
    before = old.study
    for other in changes:
        if other is not change:
            before = applied(other, before, new.study)
    without = _run(before)
    advanced()
    label = recommendation(alone.best)
    return Cause(
        change.what,
        gain(old.best, alone.best, objective),
        # As a share of what it was at first, so that the shares of all changes add up.
        _last(old, without, new),
        (label or "nothing") if label != recommendation(old.best) else "",
    )


def _last(old: StudyResult, without: StudyResult, new: StudyResult) -> float | None:
    objective = new.study.objective
    whole, rest = (gain(old.best, found.best, objective) for found in (new, without))
    return None if whole is None or rest is None else whole - rest


def _run(study: Study) -> StudyResult:
    """Run a study as it is, without what is derived of its result."""
    plain = evolve(study, expectations=(), sensitivity=Varied.NONE)
    return run(lower(Document((plain,))))[0]
