"""A session strings the stages together, each run when it is first asked for.

    document ──▶ plan ──▶ results ──▶ report

`check` needs no more than the document, and so does not pay for numpy.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from specc._version import __version__
from specc.check import check
from specc.check.overrides import digest
from specc.diagnostics import Diagnostic, Label, did_you_mean
from specc.ir import Capacity, Deployment, Document, Phase, Varied
from specc.ir.layout import size_name
from specc.ir.load import is_simulated
from specc.records import Record
from specc.workspace import Workspace

if TYPE_CHECKING:
    from typing import Any

    from specc.outputs.files import Report
    from specc.outputs.material import Material
    from specc.plan import Plan, PlannedStudy
    from specc.results import Configuration, Instance, Results, StudyResult
    from specc.run.estimate import WorkEstimate
    from specc.run.events import Events
    from specc.run.runner import Runner


MOST_COMBINATIONS = 5_000_000  # of sizes: a minute or two, and a gigabyte


class Session:
    """One spec on its way to a report.

    Attributes:
        path: the spec.
        overrides: fields set from outside, each as `path=value`.
        allow_paths: folders outside of the spec's git repository that it may read from.
        workspace: what reads it and the files it uses.
        events: told of progress while results are found; None tells nobody.
        runner: what a run works with; by default it has a process for each core where that pays.
        unlimited: whether a run may take longer than ten minutes, and more than 4 GiB.

    `text` is what the spec says where its path is that of no file, such as standard input.
    """

    def __init__(
        self,
        path: str | Path,
        overrides: Sequence[str] = (),
        events: "Events | None" = None,
        allow_paths: Sequence[str | Path] = (),
        *,
        unlimited: bool = False,
        text: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.overrides = tuple(overrides)
        self.allow_paths = tuple(allow_paths)
        unsaved = None if text is None else {self.path.absolute(): text}
        self.workspace = Workspace.of_spec(self.path, self.allow_paths, unsaved)
        self.events = events
        self.unlimited = unlimited
        self.runner: Runner | None = None
        self._plan: Plan | None = None

    @cached_property
    def _checked(self) -> tuple[Document | None, list[Diagnostic]]:
        return check(self.workspace, self.path, self.overrides)

    @property
    def document(self) -> Document | None:
        """The typed meaning of the spec; None if it has errors."""
        return self._checked[0]

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All that was found wrong so far."""
        return self._checked[1]

    @property
    def plan(self) -> "Plan":
        """The tasks to evaluate; setting it runs another plan than that of the whole spec.

        Raises:
            SpecError: the spec has errors, no study, or a study without a possible layout.
        """
        if self._plan is None:
            self._plan = self._lowered()
        return self._plan

    @plan.setter
    def plan(self, plan: "Plan") -> None:
        self._plan = plan
        for stage in ("estimate", "results", "material", "report"):
            self.__dict__.pop(stage, None)

    def _lowered(self) -> "Plan":
        from specc.plan import combinations, lower

        if self.document is None:
            raise SpecError(self.diagnostics)
        if not self.document.studies:
            raise SpecError(
                [
                    Diagnostic(
                        "E0404",
                        f"'{self.workspace.name_of(self.path)}' has no study to run",
                        help="add one: study my_question { workload = …; deployments = [ … ] }",
                    )
                ]
            )
        self._check_combinations(combinations(self.document))
        plan = lower(self.document)
        self._check_layouts(plan)
        return plan

    @property
    def work(self) -> float:
        """What `events` are told of progress in all while results are found, about.

        Raises:
            SpecError: as `plan`.
        """
        simulated = [s.study for s in self.plan.studies if is_simulated(s.study)]
        work = float(sum(len(s.tasks) for s in self.plan.studies))
        if simulated:  # else the simulation is not imported
            from specc.run.simulate import simulation_work

            work += sum(map(simulation_work, simulated))
        return work

    @cached_property
    def results(self) -> "Results":
        """What the tasks found.

        Raises:
            SpecError: as `plan`; the run would be very long or large; it cannot go on to its end.
            specc.run.failure.EvaluationError: the system ends the processes that evaluate.
        """
        from specc.ir.facts import glossary
        from specc.results import UNITS, Header, Results
        from specc.run.failure import RunError
        from specc.run.plans import run

        self._check_work()
        try:
            with self._running() as runner:
                studies = run(self.plan, runner)
        except RunError as error:
            raise SpecError([error.diagnostic]) from None
        simulated = any(study.simulations for study in studies)
        header = Header(
            specc=__version__,
            spec=self.path.name,
            inputs=self.workspace.hashes,
            overrides=tuple(sorted(self.overrides)),  # their order means nothing
            definitions={t.name: t.definition for t in glossary(simulated=simulated)},
            units=UNITS,
        )
        return Results(header, studies)

    @contextmanager
    def _running(self) -> "Iterator[Runner]":
        """Yield what a run works with: the runner of this session, or one of processes here."""
        if self.runner is not None:
            yield self.runner
            return
        from specc.run.runner import local_runner

        with local_runner() as runner:
            if self.events is not None:
                runner.events = self.events
            yield runner

    def _check_combinations(self, count: int) -> None:
        """Refuse to look at very many combinations of sizes."""
        if self.unlimited or count <= MOST_COMBINATIONS:
            return
        raise SpecError(
            [
                Diagnostic(
                    "E0601",
                    f"the sizes to try make {count:,} combinations",
                    why=f"more than {MOST_COMBINATIONS:,} need --yes",
                    help="name fewer sizes in 'parallel', or add --yes",
                )
            ]
        )

    def _check_work(self) -> None:
        """Refuse to begin what is very long or large."""
        if self.unlimited:
            return
        if self.estimate.is_large:
            raise SpecError([self.estimate.diagnostic()])

    @cached_property
    def estimate(self) -> "WorkEstimate":
        """How long the plan takes, and how much memory.

        Raises:
            SpecError: as `plan`.
        """
        from specc.run.estimate import estimate

        return estimate(self.plan)

    @cached_property
    def material(self) -> "Material":
        """What outputs are written from.

        Raises:
            SpecError: as `plan`.
        """
        from specc.outputs.material import Material

        return Material(self.results)

    @cached_property
    def report(self) -> "Report":
        """The files of the report.

        Raises:
            SpecError: as `plan`.
        """
        from specc.outputs.registry import render

        return render(self.material)

    def report_in(self, folder: Path) -> "Report":
        """Return the files of the report as they are named in a folder.

        Beside the spec, where the report of the spec as it stands may be checked in, the names of
        another report tell that fields were set: `plan.set-1a2b3c4d.report.md`.

        Raises:
            SpecError: as `plan`.
        """
        from specc.outputs.registry import render

        is_own = os.path.realpath(folder) == os.path.realpath(self.path.parent)
        if not self.overrides or not is_own:
            return self.report
        return render(evolve(self.material, suffix=f".set-{digest(self.overrides)}"))

    def operators(self, instance: "Instance") -> "list[dict[str, Any]]":
        """Return the operators of the steps of an instance that was found, the longest first.

        Raises:
            ValueError: the instance is not one of this session's plan.
        """
        from specc.run.operators import operator_table

        return operator_table(self.plan, instance)

    def leave_out_sensitivity(self) -> None:
        """Do not vary the inputs: for what shows no more than the recommendation.

        Raises:
            SpecError: as `plan`.
        """
        from specc.plan import Plan

        plain = (evolve(p.study, sensitivity=Varied.NONE) for p in self.plan.studies)
        studies = zip(self.plan.studies, plain, strict=True)
        self.plan = Plan(tuple(evolve(planned, study=study) for planned, study in studies))

    def narrow_to_simulations(self, study: str | None = None, *, search_capacity: bool) -> None:
        """Keep the studies that are simulated, or the one of that name, in the plan.

        Args:
            study: the name of a study; by default all of them.
            search_capacity: whether the capacity is searched also where no block asks for it.

        Raises:
            SpecError: as `plan`; there is none to simulate, or its capacity cannot be searched.
        """
        from specc.plan import Plan

        whole = self._lowered().studies
        planned = whole
        if study is not None:
            planned = tuple(p for p in whole if p.study.name == study)
            if not planned:
                names = [p.study.name for p in whole]
                raise SpecError([_no_study(study, names)])
        simulated = [p for p in planned if is_simulated(p.study)]
        if not simulated:
            raise SpecError(
                [
                    Diagnostic(
                        "E0404",
                        "no study has a simulation",
                        help="add a block to a study: simulate { arrival = poisson(12 req/s) }",
                    )
                ]
            )
        chosen = [_with_capacity(p) for p in simulated] if search_capacity else simulated
        self.plan = Plan(tuple(chosen))
        self.leave_out_sensitivity()

    @staticmethod
    def _check_layouts(plan: "Plan") -> None:
        """Refuse a deployment of which every layout is pruned."""
        problems = [
            _no_layout(planned, deployment, phase)
            for planned in plan.studies
            for deployment in planned.study.deployments
            for phase in deployment.mode.phases
            if not any(
                task.deployment.name == deployment.name and task.phase is phase
                for task in planned.tasks
            )
        ]
        if problems:
            raise SpecError(problems)


@frozen(eq=False, repr=False)
class ChosenPlan(Record):
    """A configuration of a plan that was run.

    Attributes:
        plan: its tasks.
        results: of the whole spec.
        result: of the study.
        configuration: of it; None where the study simulates a measured server.
        files: that were read.
        folder: of the spec.
    """

    plan: "Plan"
    results: "Results"
    result: "StudyResult"
    configuration: "Configuration | None"
    files: tuple[Path, ...]
    folder: Path

    @property
    def number(self) -> int | None:
        """The place of the configuration in the report's table, from 1."""
        if self.configuration is None:
            return None
        return self.result.configurations.index(self.configuration) + 1


def chosen_of(session: Session, study: str | None, number: int | None) -> ChosenPlan:
    """Return the recommended configuration of a study, or another one by its number.

    Raises:
        SpecError: the spec cannot be run, or has none such.
    """
    return _chosen(
        session.plan,
        session.results,
        (study, number),
        tuple(session.workspace.files),
        session.path.parent,
    )


def chosen_in_results(path: Path, study: str | None, number: int | None) -> ChosenPlan:
    """Return the same from the results of a run.

    Raises:
        SpecError: the file holds no results, or none such.
    """
    from specc.plan import lower

    results = loaded(path)
    plan = lower(Document(tuple(found.study for found in results.studies)))
    return _chosen(plan, results, (study, number), (path,), path.parent)


def loaded(path: Path) -> "Results":
    """Return the results in a file.

    Raises:
        SpecError: it holds none.
    """
    from specc.results import ResultsError, load_results

    try:
        return load_results(path)
    except ResultsError as error:
        raise SpecError([error.diagnostic]) from None


def _chosen(
    plan: "Plan",
    results: "Results",
    asked: tuple[str | None, int | None],
    files: tuple[Path, ...],
    folder: Path,
) -> ChosenPlan:
    from specc.results import ChoiceError, NoneFeasibleError, chosen

    servers = [found for found in results.studies if found.study.servers]
    own = [found for found in servers if asked[0] in (None, found.study.name)]
    if own and (asked[0] is not None or own[0] is results.studies[0]):
        return ChosenPlan(plan, results, own[0], None, files, folder)
    try:
        result, configuration = chosen(results, *asked)
    except NoneFeasibleError as error:
        raise InfeasibleError([error.diagnostic("E0203")]) from None
    except ChoiceError as error:
        raise SpecError([error.diagnostic("E0203")]) from None
    return ChosenPlan(plan, results, result, configuration, files, folder)


def _no_study(name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0203",
        f"there is no study '{name}' in this spec",
        help=did_you_mean(name, known, "study").text,
    )


def _with_capacity(planned: "PlannedStudy") -> "PlannedStudy":
    """Return a study that searches its capacity."""
    from specc.check.rules import problems_of_capacity

    if planned.study.capacity is not None or planned.study.simulate is None:
        return planned
    study = evolve(planned.study, capacity=Capacity())
    problems = list(problems_of_capacity(study))
    if problems:
        raise SpecError(problems)
    return evolve(planned, study=study)


def _no_layout(planned: "PlannedStudy", deployment: Deployment, phase: Phase) -> Diagnostic:
    """Say why every layout of a phase of a deployment is pruned, at the sizes to blame."""
    from specc.search.space import first_reasons

    instance = deployment.instances(phase)[0]
    own = f"{phase.value}: " if phase is not Phase.WHOLE else ""
    reasons = [
        p.reason
        for p in planned.pruned
        if p.deployment == deployment.name and p.label.startswith(own)
    ]
    spans = instance.parallel.spans
    blamed = next((name for name in spans if _is_about(reasons[0], name)), "tp")
    span = spans.get(blamed) or spans.get("") or deployment.spans[""]
    where = f"'{deployment.name}' has no possible layout"
    return Diagnostic(
        "E0439",
        f"{where} for {phase.value}" if own else where,
        (Label(span, "no layout fits"),),
        why=first_reasons(reasons),
        help="choose sizes that divide the devices, the heads and the experts, and that the "
        "engine can launch",
    )


def _is_about(reason: str, field: str) -> bool:
    """Tell whether a reason for pruning begins with a size, such as `MOE-TP = 3`."""
    return reason.startswith(f"{size_name(field)} ")


class SpecError(Exception):
    """A spec that cannot be compiled further; carries the diagnostics."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__("\n".join(d.sentence for d in diagnostics))
        self.diagnostics = diagnostics


class InfeasibleError(SpecError):
    """A study has no configuration that keeps its limits, and one is needed."""
