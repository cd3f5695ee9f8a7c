"""What two results differ in: the inputs, the recommendations, their figures, the expectations.

Nothing is run for that. Which input caused what is for `specc.run.causes`, which does.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import evolve, fields, frozen

from specc.ir import KINDS, Objective, Study, facts
from specc.ir.trees import rebuilt
from specc.ir.vocabulary import (
    BlocksType,
    BlockType,
    Node,
    ReferencesType,
    ReferenceType,
    TailsType,
    entries,
)
from specc.ir.written import text_of
from specc.records import Record
from specc.results.candidates import Configuration, short_label
from specc.results.studies import Results, StudyResult, objective_of

COMPARED = (
    "devices",
    "throughput",
    "throughput_per_device",
    "rate",
    "ttft",
    "tpot",
    "cost_per_million_tokens",
    "energy_per_thousand_tokens",
)
OF_INSTANCES = ("batch", "weights", "kv_cache")  # of each phase, or of the whole
SAME = 1e-6  # relative: figures that are nearer are the same
_KIND_OF = {cls: kind for kind, cls in KINDS.items()}
_SKIPPED = ("aliases", "sensitivity")


@frozen
class InputField:
    """A field of a named block, such as `input` of `workload chat`."""

    kind: str
    name: str
    path: str

    @property
    def text(self) -> str:
        """How messages call it."""
        return f"{self.kind} {self.name}.{self.path}"


@frozen(eq=False, repr=False)
class Change(Record):
    """An input that is another: its old and its new value as a spec writes them; None is neither.

    Attributes:
        of: the fields; of a block of data with many changed ones all of them.
    """

    what: str
    old: str | None
    new: str | None
    of: tuple[InputField, ...] = ()


@frozen(eq=False, repr=False)
class Move(Record):
    """A figure of the recommendation, before and after; in base units."""

    fact: str
    old: float | None
    new: float | None


@frozen(eq=False, repr=False)
class JudgedAgain(Record):
    """An expectation before and after; None where there was or is none."""

    expectation: str
    old: bool | None
    new: bool | None


@frozen(eq=False, repr=False)
class Cause(Record):
    """What one change does to the objective, relative to it before.

    Attributes:
        what: the change.
        alone: on the old inputs; None where nothing is feasible then.
        last: on the new ones, after all other changes.
        recommendation: with the change alone, if it is another; else empty.
    """

    what: str
    alone: float | None
    last: float | None
    recommendation: str = ""

    @property
    def interacts(self) -> bool:
        """Whether its effect depends on the other changes."""
        if self.alone is None or self.last is None:
            return self.alone is not self.last
        return abs(self.alone - self.last) > max(0.005, 0.1 * abs(self.alone))


@frozen(kw_only=True, eq=False, repr=False)
class StudyDifference(Record):
    """What a study differs in; its settings tell variants of a swept study apart.

    Attributes:
        old, new: what is recommended; None where nothing is, or where there is no such study.
        objective: what is ranked by, and `change` of it relative to before, where more is better.
    """

    study: str
    changes: tuple[Change, ...]
    old: str | None
    new: str | None
    objective: str
    change: float | None
    moves: tuple[Move, ...]
    expectations: tuple[JudgedAgain, ...]
    causes: tuple[Cause, ...] = ()

    @property
    def is_another(self) -> bool:
        """Whether something else is recommended."""
        return self.old != self.new


@frozen(kw_only=True, eq=False, repr=False)
class ResultsDifference(Record):
    """What two results differ in.

    Attributes:
        old, new: what was compared, as the command line names it.
        versions: of specc, which found them.
        studies: those in which anything differs.
        same: how many do not.
    """

    old: str
    new: str
    versions: tuple[str, str]
    studies: tuple[StudyDifference, ...]
    same: int


def difference(old: Results, new: Results, names: tuple[str, str]) -> ResultsDifference:
    """Return what results differ in; studies are the same by name and settings."""
    before, after = _by_name(old), _by_name(new)
    found = [
        of_studies(name, before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
    ]
    differing = tuple(study for study in found if _differs(study))
    versions = (old.header.specc, new.header.specc)
    return ResultsDifference(
        old=names[0],
        new=names[1],
        versions=versions,
        studies=differing,
        same=len(found) - len(differing),
    )


def _by_name(results: Results) -> dict[str, StudyResult]:
    return {name_of(found): found for found in results.studies}


def name_of(found: StudyResult) -> str:
    """Name a study; a variant of a swept one with its settings."""
    settings = found.study.variant
    return f"{found.study.name} ({settings})" if settings else found.study.name


def of_studies(name: str, old: StudyResult | None, new: StudyResult | None) -> StudyDifference:
    """Return what a study differs in; None is a study that is not there."""
    changes = tuple(input_changes(old.study, new.study)) if old and new else ()
    best = (old.best if old else None, new.best if new else None)
    some = new or old
    objective = some.study.objective if some is not None else Objective.THROUGHPUT
    return StudyDifference(
        study=name,
        changes=changes,
        old=recommendation(best[0]),
        new=recommendation(best[1]),
        objective=objective.value,
        change=gain(best[0], best[1], objective),
        moves=tuple(_moves(*best)),
        expectations=tuple(_judged(old, new)),
    )


def _differs(study: StudyDifference) -> bool:
    judged = any(e.old is not e.new for e in study.expectations)
    return bool(study.changes or study.moves or study.is_another or judged)


def recommendation(found: Configuration | None) -> str | None:
    """Name a configuration with its instances and layouts."""
    if found is None:
        return None
    groups = " + ".join(
        f"{g.count} × {'' if g.phase == 'whole' else g.phase + ' '}({short_label(g.parallel)})"
        for g in found.instances
    )
    return f"{found.deployment}: {groups}, {found.devices} × {found.device}"


def gain(
    old: Configuration | None, new: Configuration | None, objective: Objective
) -> float | None:
    """Return by how much the objective is better, relative to before; None if that is not known."""
    if old is None or new is None:
        return None
    before, after = (objective_of(found, objective) for found in (old, new))
    if not before:
        return None
    return (after - before) / abs(before)


def _moves(old: Configuration | None, new: Configuration | None) -> Iterator[Move]:
    sides = [_figures(found) for found in (old, new)]
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        before, after = (side.get(name) for side in sides)
        if before is None or after is None or abs(after - before) > SAME * abs(before):
            yield Move(name, before, after)
    limits = [{} if found is None else {k.fact: k for k in found.slo} for found in (old, new)]
    for name in dict.fromkeys([*limits[0], *limits[1]]):
        kept = [side.get(name) for side in limits]
        before, after = (None if k is None else k.value for k in kept)
        if name.endswith(".mean"):  # among the figures above
            continue
        if before is None or after is None or abs(after - before) > SAME * abs(before):
            yield Move(name, before, after)


def _figures(found: Configuration | None) -> dict[str, float]:
    """Return the figures of a configuration that are compared, and those of its instances."""
    if found is None:
        return {}
    read = {name: facts.value(facts.fact(name).configuration, found) for name in COMPARED}
    for group in found.instances:
        of = "" if group.phase == "whole" else f"{group.phase}."
        for name in OF_INSTANCES:
            read[f"{of}{name}"] = facts.value(facts.fact(name).instance, group)
    return {name: float(value) for name, value in read.items() if value is not None}


def _judged(old: StudyResult | None, new: StudyResult | None) -> Iterator[JudgedAgain]:
    sides = [
        {v.expectation: v.met for v in found.verdicts} if found else {} for found in (old, new)
    ]
    for text in dict.fromkeys([*sides[0], *sides[1]]):
        yield JudgedAgain(text, sides[0].get(text), sides[1].get(text))


MANY = 3  # changed fields of a block of data, more of which are one change
DATA = ("model", "device", "calibration")


def input_changes(old: Study, new: Study) -> Iterator[Change]:
    """Yield the inputs that differ, those of blocks of data together where they are many."""
    before, after = (dict(_fields(study)) for study in (old, new))
    shared = {(f.kind, f.name) for f in before} & {(f.kind, f.name) for f in after}
    differing: dict[tuple[str, str], list[Change]] = {}
    for field in dict.fromkeys([*before, *after]):
        scope = (field.kind, field.name)
        if scope not in shared:  # the block that names it differs in the name
            continue
        mine, theirs = before.get(field), after.get(field)
        if mine != theirs:
            differing.setdefault(scope, []).append(Change(field.text, mine, theirs, (field,)))
    plain: list[Change] = []
    for (kind, name), changes in differing.items():
        if kind in DATA and len(changes) > MANY:
            of = tuple(field for change in changes for field in change.of)
            yield Change(f"{kind} {name} ({len(changes)} fields)", None, None, of)
        else:
            plain += changes
    yield from _alike(plain)


def _alike(changes: Sequence[Change]) -> Iterator[Change]:
    """Yield changes; what several blocks have alike, as they extend another one, is one."""
    groups: dict[tuple[str, str, str | None, str | None], list[Change]] = {}
    for change in changes:
        (field,) = change.of
        groups.setdefault((field.kind, field.path, change.old, change.new), []).append(change)
    for (kind, path, old, new), own in groups.items():
        of = tuple(change.of[0] for change in own)
        names = ", ".join(field.name for field in of)
        yield Change(f"{kind} {names}.{path}", old, new, of)


def _fields(study: Study) -> Iterator[tuple[InputField, str]]:
    """Yield all fields of a study and of what it refers to, with their values as texts."""
    seen: set[tuple[str, str]] = set()
    waiting: list[tuple[str, Node]] = [("study", study)]
    while waiting:
        kind, node = waiting.pop(0)
        if (kind, node.name) in seen:
            continue
        seen.add((kind, node.name))
        for path, text, inner in _of_block(node, ""):
            if inner is not None:
                waiting.append(inner)
            if text is not None:
                yield InputField(kind, node.name, path), text


Inner = tuple[str, Node]


def _of_block(node: Node, prefix: str) -> Iterator[tuple[str, str | None, Inner | None]]:
    for name, (_, entry) in entries(type(node)).items():
        value, path = getattr(node, name), f"{prefix}{name}"
        if name in _SKIPPED:
            continue
        tried = dict(getattr(node, "tried", ()))
        match entry.type:
            case _ if name in tried:
                yield path, ", ".join(text_of(each, entry.type) for each in tried[name]), None
            case BlockType() if isinstance(value, Node):
                yield from _of_block(value, f"{path}.")
            case BlocksType(kind=kind):
                for one in value:
                    yield from _of_block(one, f"{prefix}{kind} {one.name}.")
            case TailsType():
                for bound in value:
                    yield f"{prefix}{bound.fact}", f"{bound.operator} {bound.value:g}", None
            case ReferenceType() if isinstance(value, Node):
                yield path, value.name, (_kind(value), value)
            case ReferencesType():
                yield path, ", ".join(one.name for one in value), None
                for one in value:
                    yield path, None, (_kind(one), one)
            case _:
                yield path, text_of(value, entry.type), None


def _kind(node: Node) -> str:
    return _KIND_OF[type(node)]


def applied(change: Change, onto: Study, of: Study) -> Study:
    """Return a study with one change of another study."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for field in change.of:
        wanted.setdefault((field.kind, field.name), []).append(field.path)
    sources: dict[tuple[str, str], Node] = {}

    def noted(node: Node) -> Node:
        if type(node) in _KIND_OF:
            sources.setdefault((_kind(node), node.name), node)
        return node

    rebuilt(of, noted)

    def moved(node: Node) -> Node:
        scope = (_kind(node), node.name)
        for path in wanted.get(scope, ()):
            node = _with(node, sources[scope], path.split("."))
        return node

    changed = rebuilt(onto, lambda node: moved(node) if type(node) in _KIND_OF else node)
    assert isinstance(changed, Study)
    return changed


def _with(node: Node, source: Node, path: Sequence[str]) -> Any:
    """Return a node with one of its fields, by path, as in another one."""
    first, *rest = path
    names = {f.name for f in fields(type(node))}
    is_tail = bool(rest) and "tails" in names and not isinstance(getattr(node, first, None), Node)
    if first not in names or is_tail:
        # A limit on a statistic, or a block of several: the whole of what holds them is taken.
        of_blocks = (name for name in names if _holds(node, source, name, first))
        held = "tails" if "tails" in names else next(of_blocks)
        return evolve(node, **{held: getattr(source, held)})
    value, theirs = getattr(node, first), getattr(source, first)
    tried: dict[str, Any] = {}
    if "tried" in names:  # the values of a list that is tried stand there
        tried["tried"] = getattr(source, "tried")  # noqa: B009
    if rest and isinstance(value, Node) and isinstance(theirs, Node):
        return evolve(node, **{first: _with(value, theirs, rest)})
    return evolve(node, **{first: theirs}, **tried)


def _holds(node: Node, source: Node, name: str, word: str) -> bool:
    """Say whether a field holds named blocks of a kind: `level node` is one of `levels`."""
    both = (getattr(node, name), getattr(source, name))
    named = {one.name for side in both if isinstance(side, tuple) for one in side
             if isinstance(one, Node)}  # fmt: skip
    return word.partition(" ")[2] in named
