"""`specc simulate`: the requests of a study, one by one."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from attrs import evolve

from specc import signals
from specc.cli.asked import add_output_options, asked
from specc.cli.codes import Exit
from specc.cli.options import add_run_options, session_of
from specc.cli.redirect import files_among, is_stream, told, write_stream
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, print_text
from specc.cli.working import add_work_options, working
from specc.diagnostics import Diagnostic
from specc.run.events import Events
from specc.session import SpecError
from specc.writing import check_named, write_texts

if TYPE_CHECKING:
    from specc.results import Results, Simulated
    from specc.run.subjects import SimulationInterruptedError
    from specc.simulation.metrics import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Simulate the studies of a spec that have a block 'simulate': queues, percentiles, "
        "goodput, and with --capacity the highest rate that meets the objectives. Writes no report."
    )
    parser.epilog = (
        "example: specc simulate specs/admission-experiment.spec --perfetto admission.json"
    )
    parser.add_argument("spec", type=Path, metavar="SPEC", help="the spec")
    parser.add_argument("--study", metavar="NAME", help="simulate only this study")
    parser.add_argument(
        "--capacity",
        action="store_true",
        help="search the capacity of every study, also of those without a block 'capacity'",
    )
    add_output_options(parser, "simulate")
    add_run_options(parser)
    add_work_options(parser)
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Simulate; exit code 3 if objectives are missed, 1 if an `expect` is not met."""
    return told(options, asked(options, "simulate"), _run)


def _run(options: argparse.Namespace, stream: TextIO) -> Exit:
    from specc.run.subjects import SimulationInterruptedError

    wanted = asked(options, "simulate")
    session = session_of(options)
    session.narrow_to_simulations(options.study, search_capacity=options.capacity)
    check_named(files_among(wanted), session.workspace.files)
    print_diagnostics(session.diagnostics, "text")
    try:
        # What was simulated until an interrupt is worth telling.
        with working(options, session, "simulating requests") as runner, signals.raised():
            runner.events = recorder = _Recorder(runner.events)
            results = session.results
    except SimulationInterruptedError as stopped:
        with contextlib.redirect_stdout(sys.stderr if options.format == "json" else sys.stdout):
            _print_partial(stopped)
        return Exit.INTERRUPTED
    _print(results, options.format)
    for path, output in wanted.items():
        material = evolve(session.material, outcome=recorder.outcome_of(_chosen(results)))
        _write(output.write(material), path, stream)
    if not results.feasible:
        return Exit.INFEASIBLE
    return Exit.OK if results.as_expected else Exit.FAILED


class _Recorder(Events):
    """Keeps every step of what is simulated, for a trace of it."""

    sees_steps = True

    def __init__(self, watcher: Events) -> None:
        self._watcher = watcher
        self._outcomes: list[tuple[Simulated, Outcome]] = []

    def advanced(self, work: float = 1.0) -> None:
        self._watcher.advanced(work)

    def simulated(self, found: "Simulated", outcome: "Outcome") -> None:
        self._outcomes.append((found, outcome))

    def outcome_of(self, wanted: "Simulated") -> "Outcome":
        return next(outcome for found, outcome in self._outcomes if found is wanted)


def _chosen(results: "Results") -> "Simulated":
    """Return the simulation that was chosen in the first study."""
    if not results.studies[0].simulations:
        message = "no layout meets the limits, so there are no steps"
        raise SpecError([Diagnostic("E0496", message)])
    return results.studies[0].simulations[0]


def _write(text: str, path: Path, stream: TextIO) -> None:
    if is_stream(path):
        write_stream(stream, text)
    else:
        write_texts({path: text})


def _print(results: "Results", format_: str) -> None:
    if format_ == "json":
        from specc.outputs.json import simulations

        print_json(simulations(results))
        return
    from specc.outputs.terminal import shown
    from specc.report.compose import simulated

    print_text(shown(simulated(results).blocks))


def _print_partial(stopped: "SimulationInterruptedError") -> None:
    from specc.outputs.terminal import shown
    from specc.report.compose import interrupted

    print_text(shown(interrupted(stopped.name, stopped.metrics).blocks))
