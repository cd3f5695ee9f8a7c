"""`specc calibrate`: from measured kernels or served runs to the coefficients of a device."""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from specc import library
from specc.cli.codes import Exit
from specc.cli.loadtests import (
    add_server_options,
    load_tests,
    subjects_of_flags,
    subjects_of_plan,
)
from specc.cli.measured import (
    WrongInputError,
    find_device,
    nothing_usable,
    read_tables,
    table_problem,
)
from specc.cli.numbers import share
from specc.cli.options import add_choice_options, add_run_options
from specc.cli.tables import print_table
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.diagnostics import Diagnostic, visible_line
from specc.ir import CalibrationData, Device
from specc.reading import NotRegularError, read_bytes
from specc.session import SpecError
from specc.tables import TableError
from specc.workspace import LARGEST_FILE_BYTES
from specc.writing import WriteError, write_texts

if TYPE_CHECKING:
    from specc.calibration.fitting import ClassReport, Fitted
    from specc.calibration.served.fitting import FittedServed
    from specc.ir import Fit
    from specc.loadtest import LoadTest

_ANOTHER = "name another file, or leave out -o to print it"
_LIKE = "atlas_800_a2_376t"  # whose calibration a device without one begins with


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Fit the coefficients of the calibrated cost model to measured kernels (benchmark tables, "
        "Ascend's profiler exports op_summary_*.csv and kernel_details.csv, AIConfigurator's "
        "tables), or with --served what an engine makes of steps to measured runs of a server."
    )
    parser.epilog = (
        "example: specc calibrate op_summary.csv --device atlas_800_a2_376t -o mine.spec\n"
        "         specc calibrate --served runs.csv --device atlas_800_a2_376t -o mine.spec\n"
        "         specc calibrate --served results --plan plan.spec --device atlas_800_a2_376t\n"
        "SciPy fits kernels: pip install 'specc[calibrate]'"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "tables",
        type=Path,
        nargs="+",
        metavar="TABLE.csv",
        help="measurements; with --served also results of load tests, with what served them",
    )
    parser.add_argument("--device", required=True, metavar="NAME", help="the device measured")
    parser.add_argument(
        "--served", action="store_true", help="the table has runs of servers, not kernels"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="SPEC", help="the spec to write (default: print it)"
    )
    parser.add_argument(
        "--name", metavar="NAME", help="name of the new device (default: the device's + _measured)"
    )
    own = parser.add_argument_group("what served the load tests of --served")
    own.add_argument("--plan", type=Path, metavar="PLAN", help="a spec, or its .result.json")
    add_choice_options(own)
    own.add_argument("--prefix-hit", type=share, metavar="SHARE", help="as in specc compare")
    add_server_options(own, device=False)
    add_run_options(parser)
    add_format_option(parser)
    parser.set_defaults(parser=parser)


def run(options: argparse.Namespace) -> int:
    """Fit and write."""
    try:
        if not options.served:
            return _kernels(options)
        return _load_tests(options) if _are_load_tests(options) else _served(options)
    except WrongInputError as error:
        print_diagnostics([error.diagnostic], options.format)
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
    return Exit.WRONG_INPUT


def _kernels(options: argparse.Namespace) -> int:
    from specc.calibration.fitting import fit, rounds_of
    from specc.calibration.kernels import read_kernels
    from specc.calibration.scaling import scaled
    from specc.calibration.write import device_text
    from specc.cli.progress import progress

    try:
        import scipy.optimize  # noqa: F401
    except ImportError:
        raise WrongInputError(
            Diagnostic(
                "E0011", "calibrate needs SciPy", help="install it: pip install 'specc[calibrate]'"
            )
        ) from None
    device, start, name = _begin(options)
    try:
        table = read_kernels(read_tables(options.tables))
    except TableError as error:
        raise table_problem(error) from None
    own = start if start.device == device.name else scaled(start, device)
    with progress(rounds_of(table), "fitting kernels") as watcher:
        fitted = fit(own, table, device, lambda _: watcher.advanced())
    if not any(report.fit for report in fitted.classes):
        few = [
            f"{r.kind.value}: {r.rows} kernels of {r.shapes} shapes, {r.reason}"
            for r in fitted.classes
        ]
        raise nothing_usable("no class of kernels has enough rows for a fit", table.skipped, few)
    tables = [path.name for path in options.tables]
    text = device_text(fitted.data, start, device.name, name, tables, fitted.classes)
    return _finish(options, text, _class_data(fitted.classes, table.skipped), table.skipped, fitted)


def _served(options: argparse.Namespace) -> int:
    from specc.calibration.served.fitting import Curve, curves, fit_served
    from specc.calibration.served.prediction import SkippedRun, runs_of
    from specc.calibration.served.run import Run
    from specc.calibration.write import served_text
    from specc.cli.progress import progress

    device, start, name = _begin(options)
    [table, *more] = read_tables(options.tables)
    if more:
        raise WrongInputError(
            Diagnostic(
                "E0010",
                f"{1 + len(more)} tables of served runs",
                help="put the rows into one table: sources are left out whole by its column source",
            )
        )
    try:
        runs = list(runs_of(*table, None))
    except TableError as error:
        raise table_problem(error) from None
    related = [
        run
        if isinstance(run, SkippedRun) or _relative(run.deployment.fitted, start)
        else SkippedRun(run.line, "its device has another calibration")
        for run in runs
    ]
    with progress(len(related), "simulating served runs") as watcher:
        found = list(curves(related, watcher.advanced))
    skipped = Counter(one.reason for one in found if isinstance(one, SkippedRun))
    fitted = fit_served([one for one in found if isinstance(one, Curve)], start.served)
    if not fitted.rules:
        few = [f"{r.engine}: {r.runs} runs, {r.reason}" for r in fitted.engines]
        message = "too few served runs can be used for a fit"
        raise nothing_usable(message, dict(skipped.most_common()), few)
    devices = sorted({run.deployment.device.name for run in related if isinstance(run, Run)})
    text = served_text(fitted.rules, start, device.name, name, table[0], devices)
    reasons = dict(skipped.most_common())
    return _finish(options, text, _served_data(fitted, reasons), reasons, fitted)


def _are_load_tests(options: argparse.Namespace) -> bool:
    """Say whether results of load tools are given, and not a table of runs."""
    first: Path = options.tables[0]
    of_tool = first.is_dir() or first.suffix in (".json", ".jsonl")
    return of_tool or options.plan is not None or bool(options.devices)


def _load_tests(options: argparse.Namespace) -> int:
    from specc.calibration.comparison import NotComparableError, curve_of
    from specc.calibration.served.fitting import OVERHEADS, OWN, fit_served
    from specc.calibration.write import served_text
    from specc.cli.options import chosen_plan
    from specc.cli.progress import progress
    from specc.simulation.requests import TooLongError

    if (options.plan is None) == (options.devices is None):
        options.parser.error("name what served: --plan, or --devices with --model")
    device, start, name = _begin(options)
    tests = _different(load_tests(options.tables))
    make = (
        subjects_of_flags(options)
        if options.plan is None
        else subjects_of_plan(chosen_plan(options, options.plan), options)
    )
    found, skipped, devices = [], Counter[str](), set()
    with progress(len(OVERHEADS) * len(tests), "simulating load tests") as watcher:
        for number, test in enumerate(tests, 1):
            subject, _ = make(test)
            own = {part.task.deployment.device for part in subject.parts}
            devices |= {one.name for one in own}
            others = sorted({one.name for one in own} - {device.name})
            if others:
                skipped[f"it is on {others[0]}, not on {device.name}"] += 1
                continue
            try:
                found.append(curve_of(number, test, subject, watcher.advanced))
            except NotComparableError as error:
                skipped[error.message] += 1
            except TooLongError:
                skipped["it takes longer than can be simulated"] += 1
    fitted = fit_served(found, start.served, OWN)
    if not fitted.rules:
        few = [f"{r.engine}: {r.runs} runs, {r.reason}" for r in fitted.engines]
        message = (
            "too few load tests for a fit: measure with several loads, such as 1 to 64 clients"
        )
        raise nothing_usable(message, dict(skipped.most_common()), few)
    table = ", ".join(path.name for path in options.tables)
    text = served_text(fitted.rules, start, device.name, name, table, sorted(devices))
    reasons = dict(skipped.most_common())
    return _finish(options, text, _served_data(fitted, reasons), reasons, fitted)


def _different(tests: "list[LoadTest]") -> "list[LoadTest]":
    """Return tests of which none is given twice and that have loads enough for a fit.

    Raises:
        WrongInputError: one is the same as another, or all are of one or two loads.
    """
    from specc.calibration.served.fitting import OWN

    help_ = "measure with several loads, such as 1, 4, 16 and 64 clients, and give each result once"
    same = Counter((t.tool, t.duration, t.throughput, t.requests) for t in tests)
    if len(same) < len(tests):
        message = f"{len(tests) - len(same)} of the {len(tests)} load tests are given twice"
        raise WrongInputError(Diagnostic("E0014", message, help=help_))
    loads = {(t.load.label, round(t.input.mean), round(t.output.mean)) for t in tests}
    if len(loads) < OWN.fewest:
        message = (
            f"the load tests have {len(loads)} {'load' if len(loads) == 1 else 'loads'}, and a fit "
            f"needs {OWN.fewest}"
        )
        raise WrongInputError(Diagnostic("E0014", message, help=help_))
    return tests


def _begin(options: argparse.Namespace) -> tuple[Device, CalibrationData, str]:
    """Check the output, and return the device, what a fit begins with, and the new name."""
    if options.output == Path("-"):
        options.output = None
    if options.output:
        _check_output(options.output)
    device, start = _start(options.device)
    return device, start, _name(options, device)


def _start(name: str) -> tuple[Device, CalibrationData]:
    """Return a device, and the calibration that a fit begins with."""
    device = find_device(name, calibrated=False)
    start = device.calibration or find_device(_LIKE, calibrated=True).calibration
    assert start is not None
    return device, start


def _relative(data: CalibrationData | None, start: CalibrationData) -> bool:
    """Whether a run is on a device of the calibration that is fitted."""
    return data is not None and data.device == start.device


def _name(options: argparse.Namespace, device: Device) -> str:
    """Return the name of the new device.

    Raises:
        WrongInputError: it is no name, or a device of the library has it.
    """
    name: str = options.name or f"{device.name}_measured"
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in library.devices():
        problem = "is a device of the library" if name in library.devices() else "is no name"
        raise WrongInputError(
            Diagnostic("E0010", f"'{name}' {problem}", help="choose another one with --name")
        )
    return name


def _finish(
    options: argparse.Namespace,
    text: str,
    data: dict[str, object],
    skipped: Mapping[str, int],
    fitted: "Fitted | FittedServed",
) -> int:
    """Write the spec, or print it, and say what was fitted."""
    from specc.calibration.fitting import Fitted
    from specc.diagnostics import Source
    from specc.syntax.formatter import format_source

    text = format_source(Source("calibration", text))
    if options.output:
        _write(options.output, text)
    if options.format == "json":
        print_json({**data, "spec": text})
        return Exit.OK
    # Standard error where the spec itself is printed.
    stream = sys.stdout if options.output else sys.stderr
    if isinstance(fitted, Fitted):
        _print_classes(fitted.classes, stream)
    else:
        _print_engines(fitted, stream)
    for reason, count in skipped.items():
        print(visible_line(f"{count} rows not used: {reason}"), file=stream)
    if options.output:
        say(f"wrote {options.output}")
    else:
        print(text, end="")
    return Exit.OK


def _check_output(path: Path) -> None:
    """Refuse to replace a file unless this command made it."""
    if not _is_ours(path):
        reason = "it exists, and specc calibrate did not write it"
        raise WrongInputError(WriteError(path, reason, _ANOTHER).diagnostic)


def _write(path: Path, text: str) -> None:
    _check_output(path)
    try:
        write_texts({path: text})
    except WriteError as error:
        raise WrongInputError(error.diagnostic) from None


def _is_ours(path: Path) -> bool:
    from specc.calibration.write import HEAD

    try:
        return read_bytes(path, LARGEST_FILE_BYTES).startswith(HEAD.encode())
    except NotRegularError:
        return True  # which the writer will refuse
    except OSError:
        return not os.path.lexists(path)


def _class_data(classes: "Sequence[ClassReport]", skipped: Mapping[str, int]) -> dict[str, object]:
    return {
        "classes": [
            {
                "class": report.kind.value,
                "n": report.rows,
                "shapes": report.shapes,
                "before": _percent(report.before),
                "mape": _percent(report.fit),
                "median": round(report.fit.median_error * 100, 3) if report.fit else None,
                "seen": _percent(report.seen),
                "reason": report.reason,
            }
            for report in classes
        ],
        "skipped": dict(skipped),
    }


def _served_data(fitted: "FittedServed", skipped: Mapping[str, int]) -> dict[str, object]:
    return {
        "engines": [
            {
                "engine": report.engine,
                "n": report.runs,
                "sources": report.sources,
                "overhead": report.rule.overhead if report.rule else None,
                "request_time_ms": report.rule.request_time * 1e3 if report.rule else None,
                "before": _percent(report.before),
                "mape": _percent(report.unseen),
                "median": round(report.unseen.median_error * 100, 3) if report.unseen else None,
                "seen": _percent(report.seen),
                "inside": round(report.inside * 100, 1) if report.unseen else None,
                "reason": report.reason,
            }
            for report in fitted.engines
        ],
        "left_out": fitted.left_out,
        "skipped": dict(skipped),
    }


def _percent(fit: "Fit | None") -> float | None:
    return round(fit.mean_error * 100, 3) if fit else None


def _shown(fit: "Fit | None") -> str:
    return f"{fit.mean_error * 100:.1f} %" if fit else "-"


def _outcome(report: "ClassReport") -> str:
    better = report.fit is not None and report.fit.mean_error < report.before.mean_error
    return "fitted" if better else "fitted, no better on unseen shapes"


def _print_classes(classes: "Sequence[ClassReport]", stream: TextIO) -> None:
    rows = [
        (
            report.kind.value,
            str(report.rows),
            str(report.shapes),
            _shown(report.before),
            _shown(report.fit),
            f"{report.fit.median_error * 100:.1f} %" if report.fit else "-",
            _shown(report.seen),
            report.reason or _outcome(report),
        )
        for report in classes
    ]
    header = ("class", "kernels", "shapes", "before", "unseen", "median", "seen", "outcome")
    print_table(header, rows, stream=stream)
    print(
        "before: mean error of the calibration that the fit began with; unseen, median: errors\n"
        "on shapes that the fit did not see (five folds); seen: mean error on those that it saw",
        file=stream,
    )


def _print_engines(fitted: "FittedServed", stream: TextIO) -> None:
    rows = [
        (
            report.engine,
            str(report.runs),
            f"{report.rule.overhead:.2f}" if report.rule else "-",
            f"{report.rule.request_time * 1e3:.0f} ms" if report.rule else "-",
            _shown(report.before),
            _shown(report.unseen),
            f"{report.unseen.median_error * 100:.1f} %" if report.unseen else "-",
            _shown(report.seen),
            f"{report.inside * 100:.0f} %" if report.unseen else "-",
            report.reason or "fitted",
        )
        for report in fitted.engines
    ]
    header = (
        "engine",
        "runs",
        "overhead",
        "a request",
        "before",
        "unseen",
        "median",
        "seen",
        "in band",
        "outcome",
    )
    print_table(header, rows, stream=stream)
    print(
        "overhead: kernels in the server over those of the step alone; a request: time to a first\n"
        "token beside steps (0: not seen in TTFT); errors: of throughput, or of TPOT where a row\n"
        f"has none: before the fit; unseen, median: with {fitted.left_out} left out; seen: with\n"
        "all; in band: of what was left out, within p10 to p90; other: all engines together",
        file=stream,
    )
