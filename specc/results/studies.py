"""What studies found, and the results of a spec: what reports and files are made of."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from attrs import evolve, frozen

from specc.ir import Objective, Study
from specc.records import Record
from specc.results.candidates import Candidate, Configuration, FrontierPoint
from specc.results.sensitivity import Sensitivity
from specc.results.simulations import Simulated

if TYPE_CHECKING:
    import pandas as pd


MOST_WHOLE = 9  # variants of a swept study that are shown whole: a grid of three by three

UNITS = "seconds, bytes, tokens, tokens a second, shares of 1"


@frozen(eq=False, repr=False)
class Dropped(Record):
    """Combinations of sizes dropped before evaluation for one reason: how many, and one."""

    deployment: str
    reason: str
    combinations: int
    label: str


@frozen(eq=False, repr=False)
class Verdict(Record):
    """Whether an expectation is met.

    Attributes:
        seen: the values it was judged on.
        margin: of a comparison, by how much its left side may get worse until the expectation is
            missed, relative to the right side; below 0 it is missed by so much. None of others.
    """

    expectation: str
    met: bool
    seen: str
    reason: str
    margin: float | None = None


@frozen(eq=False, repr=False)
class StudyResult(Record):
    """What one study found.

    Attributes:
        configurations: the feasible ones, the best first, then those that break a limit of theirs.
        candidates: the instances that were evaluated: feasible ones, the best first, then others.
        pruned: combinations of sizes that were dropped before evaluation.
        omitted: configurations that are worse than those listed, and left out.
        verdicts: of the expectations.
        simulations: of the shortlist, or of the servers; the one to choose first.
        frontier: batch sizes that no other beats, where all candidates are of one phase.
        sensitivity: how the recommendation moves with its inputs; None where that was not asked.
        streamed: candidates that went to a table of all (`specc run --table`), and stay out here.
    """

    study: Study
    configurations: tuple[Configuration, ...]
    candidates: tuple[Candidate, ...]
    pruned: tuple[Dropped, ...]
    omitted: int = 0
    verdicts: tuple[Verdict, ...] = ()
    simulations: tuple[Simulated, ...] = ()
    frontier: tuple[FrontierPoint, ...] = ()
    sensitivity: Sensitivity | None = None
    streamed: int = 0

    @property
    def best(self) -> Configuration | None:
        """The best feasible configuration of all deployments."""
        return next((c for c in self.configurations if c.feasible), None)

    def best_of(self, deployment: str) -> Configuration | None:
        """The best feasible configuration of one deployment."""
        return next(
            (c for c in self.configurations if c.feasible and c.deployment == deployment), None
        )

    @property
    def is_steady(self) -> bool:
        """Whether no candidate was ranked with its whole batch at once."""
        methods = {c.method for c in self.candidates if c.phase == "whole"}
        return methods <= {"steady state"}

    @property
    def is_plain(self) -> bool:
        """Whether every configuration is a single instance, so that candidates say it all."""
        return all(c.instance_count == 1 for c in self.configurations)

    @property
    def feasible(self) -> bool:
        """Whether there is a configuration that meets the limits, also as simulated."""
        if self.best is None and not self.study.servers:
            return False
        return not self.simulations or self.simulations[0].meets


@frozen(eq=False, repr=False)
class Header(Record):
    """Where results come from, and what their numbers mean.

    Attributes:
        specc: the version that found them.
        spec: the file name of the spec.
        inputs: SHA-256 of every file that was read, by its path relative to the spec.
        overrides: fields set from the command line, as they were written.
        definitions: what each metric is, by its name.
        units: of all numbers.
    """

    specc: str
    spec: str
    inputs: dict[str, str]
    overrides: tuple[str, ...]
    definitions: dict[str, str]
    units: str


@frozen(eq=False, repr=False)
class Results(Record):
    """The results of all studies of a spec."""

    header: Header
    studies: tuple[StudyResult, ...]

    @property
    def feasible(self) -> bool:
        """Whether every study has a configuration that meets its limits, also as simulated."""
        return all(study.feasible for study in self.studies)

    @property
    def simulated(self) -> bool:
        """Whether any study was simulated."""
        return any(study.simulations for study in self.studies)

    @property
    def as_expected(self) -> bool:
        """Whether every expectation of every study is met."""
        return all(verdict.met for study in self.studies for verdict in study.verdicts)

    def to_json(self) -> str:
        """Return the text of a result file; that of loaded results is the file's."""
        from specc.results.files import text_of

        return text_of(self)

    def frame(self) -> "pd.DataFrame":
        """Return all candidates as a pandas DataFrame, in SI units, the best of a study first.

        The columns are the facts of `specc docs` by their names, and how each was found.
        """
        from specc.results.frame import candidates

        return candidates(self)


def without_streamed(result: StudyResult, most: int, *, curves: bool) -> StudyResult:
    """Return a result with its best configurations and candidates, and the nearest others.

    All candidates are in a table elsewhere.

    Args:
        result: of a study.
        most: configurations, and candidates of each phase, that keep the limits, and that do not.
        curves: whether candidates keep their curves.
    """
    configurations = _first(result.configurations, lambda c: (c.feasible,), most)
    frontier = result.frontier if curves else ()
    needed = {instance.task for c in configurations for instance in c.instances}
    needed |= {point.task for point in frontier}
    first = _first(result.candidates, lambda c: (c.phase, c.feasible), most)
    listed = {id(candidate) for candidate in first}
    shown = tuple(c for c in result.candidates if c.instance.task in needed or id(c) in listed)
    kept = shown if curves else tuple(evolve(c, curve=None) for c in shown)
    return evolve(
        result,
        configurations=configurations,
        omitted=result.omitted + len(result.configurations) - len(configurations),
        candidates=kept,
        frontier=frontier,
        streamed=len(result.candidates) - len(kept),
    )


Item = TypeVar("Item")


def _first(items: Sequence[Item], kind: Callable[[Item], object], most: int) -> tuple[Item, ...]:
    """Return the first items of each kind."""
    counts: dict[object, int] = {}
    kept = []
    for item in items:
        counts[kind(item)] = counts.get(kind(item), 0) + 1
        if counts[kind(item)] <= most:
            kept.append(item)
    return tuple(kept)


class Ranked(Protocol):
    """What is ranked by an objective: a configuration, or one that is only counted yet."""

    @property
    def devices(self) -> int:
        """Devices of all instances."""

    @property
    def throughput(self) -> float:
        """Tokens a second."""

    @property
    def throughput_per_device(self) -> float:
        """Tokens a second of a device."""

    @property
    def cost_per_second(self) -> float | None:
        """Money a second; None without prices."""


def objective_of(configuration: Ranked, objective: Objective) -> float:
    """Return what a configuration is ranked by; more is better."""
    match objective:
        case Objective.THROUGHPUT_PER_DEVICE:
            return configuration.throughput_per_device
        case Objective.THROUGHPUT_PER_COST:
            assert configuration.cost_per_second is not None
            return configuration.throughput / max(configuration.cost_per_second, 1e-30)
        case Objective.FEWEST_DEVICES:
            return float(-configuration.devices)
        case _:
            return configuration.throughput


def shown_whole(variants: Sequence[StudyResult]) -> Sequence[StudyResult]:
    """Return the variants that a report shows whole: all of a few, the best one of many.

    Each takes some pages and pictures. The table of the sweep has a row for each of them anyway,
    but for what is simulated alone: of measured servers all are shown.
    """
    if len(variants) <= MOST_WHOLE or variants[0].study.servers:
        return variants
    known = [(result, result.best) for result in variants]
    found = [(objective_of(best, r.study.objective), r) for r, best in known if best is not None]
    # The first of those that are equally good.
    return (max(found, key=lambda pair: pair[0])[1],) if found else variants[:1]
