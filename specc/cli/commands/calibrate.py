"""`specc calibrate`: from measured kernels to the coefficients of a device."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from specc.cli.codes import Exit
from specc.cli.measured import WrongInputError, find_device, read_tables, table_problem
from specc.cli.tables import print_table
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.diagnostics import Diagnostic, visible_line
from specc.reading import NotRegularError, read_bytes
from specc.workspace import LARGEST_FILE_BYTES
from specc.writing import WriteError, write_texts

if TYPE_CHECKING:
    from specc.calibration.fitting import ClassReport

_ANOTHER = "name another file, or leave out -o to print it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Fit the coefficients of the calibrated cost model to measured kernels: benchmark tables, "
        "or Ascend's profiler exports (op_summary_*.csv, kernel_details.csv)."
    )
    parser.epilog = (
        "example: specc calibrate op_summary.csv --device atlas_800_a2_376t -o mine.spec\n"
        "SciPy does the fit: pip install 'specc[calibrate]'"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("tables", type=Path, nargs="+", metavar="TABLE.csv", help="kernels")
    parser.add_argument("--device", required=True, metavar="NAME", help="the device measured")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="SPEC", help="the spec to write (default: print it)"
    )
    parser.add_argument(
        "--name", metavar="NAME", help="name of the new device (default: the device's + _measured)"
    )
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Fit and write."""
    try:
        return _calibrate(options)
    except WrongInputError as error:
        print_diagnostics([error.diagnostic], options.format)
        return Exit.WRONG_INPUT


def _calibrate(options: argparse.Namespace) -> int:
    from specc.calibration.fitting import fit, rounds_of
    from specc.calibration.kernels import read_kernels
    from specc.calibration.write import device_text
    from specc.cli.progress import progress
    from specc.diagnostics import Source
    from specc.syntax.formatter import format_source
    from specc.tables import TableError

    try:
        import scipy.optimize  # noqa: F401
    except ImportError:
        raise WrongInputError(
            Diagnostic(
                "E0011", "calibrate needs SciPy", help="install it: pip install 'specc[calibrate]'"
            )
        ) from None
    if options.output:
        _check_output(options.output)
    device = find_device(options.device, calibrated=False)
    start = device.calibration or find_device("atlas_800_a2_376t", calibrated=True).calibration
    assert start is not None
    try:
        table = read_kernels(read_tables(options.tables))
    except TableError as error:
        raise table_problem(error) from None
    own = evolve(
        start,
        device=device.name,
        cores=device.cores,
        memory_bandwidth=device.memory_bandwidth,
        cube=start.cube if start.device == device.name else device.cube,
    )
    with progress(rounds_of(table), "fitting kernels") as watcher:
        fitted = fit(own, table, lambda _: watcher.advanced())
    if not any(report.fit for report in fitted.classes):
        raise WrongInputError(
            Diagnostic(
                "E0010",
                "no class of kernels has enough rows for a fit",
                why="; ".join(f"{n} rows: {reason}" for reason, n in table.skipped.items()),
                help="see 'specc explain E0010' for the tables that fit",
            )
        )
    name = options.name or f"{device.name}_measured"
    tables = [path.name for path in options.tables]
    text = format_source(
        Source(
            "calibration",
            device_text(fitted.data, start.name, device.name, name, tables, fitted.classes),
        )
    )
    if options.output:
        _write(options.output, text)
    if options.format == "json":
        print_json(_data(fitted.classes, table.skipped, text))
        return Exit.OK
    _report(fitted.classes, table.skipped, options.output)
    if not options.output:
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


def _data(
    classes: "Sequence[ClassReport]", skipped: Mapping[str, int], text: str
) -> dict[str, object]:
    return {
        "classes": [
            {
                "class": report.kind.value,
                "n": report.rows,
                "mape": round(report.fit.mean_error * 100, 3) if report.fit else None,
                "median": round(report.fit.median_error * 100, 3) if report.fit else None,
                "reason": report.reason,
            }
            for report in classes
        ],
        "skipped": dict(skipped),
        "spec": text,
    }


def _report(
    classes: "Sequence[ClassReport]", skipped: Mapping[str, int], output: Path | None
) -> None:
    """Say what was fitted; on standard error where the spec itself is printed."""
    rows = [
        (
            report.kind.value,
            str(report.rows),
            f"{report.fit.mean_error * 100:.1f} %" if report.fit else "-",
            f"{report.fit.median_error * 100:.1f} %" if report.fit else "-",
            report.reason or "fitted",
        )
        for report in classes
    ]
    stream = sys.stdout if output else sys.stderr
    print_table(("class", "kernels", "mean error", "median", "outcome"), rows, stream=stream)
    print("Errors are those on kernels that the fit did not see (five folds).", file=stream)
    for reason, count in skipped.items():
        print(visible_line(f"{count} rows not used: {reason}"), file=stream)
    if output:
        say(f"wrote {output}")
