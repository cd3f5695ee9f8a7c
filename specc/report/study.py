"""One study as the sections of a report see it: its result, and what several of them ask of it."""

from collections.abc import Sequence
from functools import cached_property

from attrs import define

from specc.ir import Study
from specc.report.document import Depth
from specc.results import (
    Candidate,
    Configuration,
    Simulated,
    StudyResult,
    drawn,
    short_label,
)


@define(slots=False, frozen=True, eq=False)
class ReportedStudy:
    """A study, or one variant of a swept one.

    Attributes:
        result: what was found.
        variants: the results of all variants of the study, this one among them.
        whole: those of them that the report shows whole.
    """

    result: StudyResult
    variants: tuple[StudyResult, ...]
    whole: tuple[StudyResult, ...]

    @property
    def study(self) -> Study:
        """The inputs."""
        return self.result.study

    @property
    def best(self) -> Configuration | None:
        """The configuration that is recommended; None if none is feasible."""
        return self.result.best

    @property
    def is_variant(self) -> bool:
        """Whether the study is swept, so that it has other variants."""
        return len(self.variants) > 1

    @property
    def is_first(self) -> bool:
        """Whether it is the first variant that is shown whole, or the only one."""
        return self.result is self.whole[0]

    @property
    def is_whole(self) -> bool:
        """Whether the report shows it whole."""
        return any(self.result is result for result in self.whole)

    @cached_property
    def slug(self) -> str:
        """What the ids of its blocks begin with."""
        if not self.is_variant:
            return self.study.name
        number = next(n for n, r in enumerate(self.variants, start=1) if r is self.result)
        return f"{self.study.name}-{number}"

    def id(self, name: str) -> str:
        """Return the id of a block."""
        return f"{self.slug}-{name}"

    def sweep_id(self, name: str) -> str:
        """Return the id of a block that belongs to all variants of a swept study."""
        return f"{self.study.name}-{name}"

    @property
    def summary(self) -> Depth:
        """The depth of what a terminal shows, which of a variant is nothing."""
        return Depth.REPORT if self.is_variant else Depth.SUMMARY

    @property
    def several(self) -> bool:
        """Whether it compares deployments."""
        return len(self.study.deployments) > 1

    @cached_property
    def feasible(self) -> list[Candidate]:
        """The candidates that meet all limits, the best first."""
        return [c for c in self.result.candidates if c.feasible]

    @cached_property
    def infeasible(self) -> list[Candidate]:
        """The candidates that miss a limit, the nearest first."""
        return [c for c in self.result.candidates if not c.feasible]

    @cached_property
    def phases(self) -> list[str]:
        """The phases that have feasible candidates."""
        return list(dict.fromkeys(c.phase for c in self.feasible))

    @cached_property
    def drawn(self) -> list[Candidate]:
        """The candidates in pictures: those of the best configuration, then the best others."""
        return drawn(self.feasible, self.infeasible, self._recommended)

    def is_recommended(self, candidate: Candidate) -> bool:
        """Tell whether a candidate is part of the configuration that is recommended."""
        return candidate.instance.task in self._recommended

    @cached_property
    def _recommended(self) -> set[str]:
        return {instance.task for instance in self.best.instances} if self.best else set()

    @cached_property
    def _several_phases(self) -> bool:
        return len({c.phase for c in self.result.candidates}) > 1

    def label(self, candidate: Candidate) -> str:
        """Name a candidate by what tells it from the others."""
        parts = [short_label(candidate.instance.parallel)]
        if self._several_phases:
            parts.insert(0, candidate.phase)
        if self.several:
            parts.insert(0, candidate.deployment)
        return " · ".join(parts)

    def includes_ttft(self, found: Configuration) -> bool:
        """Tell whether the TPOT of a configuration includes its TTFT, as waves have it."""
        if found.simulated:
            return False
        methods = {c.instance.task: c.method for c in self.result.candidates}
        return any(methods[i.task] == "closed form" and i.phase == "whole" for i in found.instances)

    @property
    def simulations(self) -> Sequence[Simulated]:
        """What was simulated, the one to choose first."""
        return self.result.simulations
