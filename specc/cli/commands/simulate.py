"""`specc simulate`: the requests of a study, one by one."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from specc import signals
from specc.cli.codes import Exit
from specc.cli.options import add_run_options, session_of
from specc.cli.redirect import files_among, is_stream, told, write_stream
from specc.cli.terminal import add_format_option, print_diagnostics, print_json
from specc.diagnostics import Diagnostic
from specc.run.events import Events
from specc.session import SpecError
from specc.writing import check_named, write_texts

if TYPE_CHECKING:
    from specc.results import Results, Simulated
    from specc.run.subjects import SimulationInterruptedError
    from specc.serving.simulation.metrics import Outcome


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
    parser.add_argument(
        "--perfetto",
        type=Path,
        metavar="FILE",
        help="write every step and request of the first simulation as a trace for ui.perfetto.dev; "
        "- is standard output",
    )
    add_run_options(parser)
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Simulate; exit code 3 if objectives are missed, 1 if an `expect` is not met."""
    return told(options, options.perfetto, _run)


def _run(options: argparse.Namespace, stream: TextIO) -> Exit:
    from specc.cli.progress import progress
    from specc.run.subjects import SimulationInterruptedError

    session = session_of(options)
    session.narrow_to_simulations(options.study, search_capacity=options.capacity)
    check_named(files_among(options.perfetto), session.workspace.files)
    print_diagnostics(session.diagnostics, "text")
    try:
        # What was simulated until an interrupt is worth telling.
        with progress(session.work, "simulating requests") as watcher, signals.raised():
            session.events = recorder = _Recorder(watcher)
            results = session.results
    except SimulationInterruptedError as stopped:
        with contextlib.redirect_stdout(sys.stderr if options.format == "json" else sys.stdout):
            _print_partial(stopped)
        return Exit.INTERRUPTED
    _print(results, options.format)
    if options.perfetto is not None:
        _write_trace(_trace(results, recorder), options.perfetto, stream)
    if not results.feasible:
        return Exit.INFEASIBLE
    return Exit.OK if results.as_expected else Exit.FAILED


class _Recorder(Events):
    """Keeps every step of what is simulated, for a trace of it."""

    def __init__(self, watcher: Events) -> None:
        self._watcher = watcher
        self._outcomes: list[tuple[Simulated, Outcome]] = []

    def advanced(self) -> None:
        self._watcher.advanced()

    def simulated(self, found: "Simulated", outcome: "Outcome") -> None:
        self._outcomes.append((found, outcome))

    def outcome_of(self, wanted: "Simulated") -> "Outcome":
        return next(outcome for found, outcome in self._outcomes if found is wanted)


def _trace(results: "Results", recorder: _Recorder) -> str:
    """Return every step of the simulation that was chosen in the first study."""
    from specc.report.perfetto import perfetto

    if not results.studies[0].simulations:
        message = "no layout meets the limits, so there are no steps"
        raise SpecError([Diagnostic("E0496", message)])
    chosen = results.studies[0].simulations[0]
    return perfetto(chosen.name, recorder.outcome_of(chosen))


def _write_trace(trace: str, path: Path, stream: TextIO) -> None:
    if is_stream(path):
        write_stream(stream, trace)
    else:
        write_texts({path: trace})


def _print(results: "Results", format_: str) -> None:
    if format_ == "json":
        from specc.ir.json import to_json
        from specc.results import rounded

        data = [
            {
                "study": study.study.name,
                "settings": dict(study.study.settings),
                "simulations": [to_json(simulated) for simulated in study.simulations],
                "verdicts": [to_json(verdict) for verdict in study.verdicts],
            }
            for study in results.studies
        ]
        print_json(rounded(data))
        return
    from specc.cli.summary import print_simulations

    print_simulations(results)


def _print_partial(stopped: "SimulationInterruptedError") -> None:
    from specc.cli.summary import print_metrics

    print_metrics(stopped.name, stopped.metrics)
