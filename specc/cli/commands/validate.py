"""`specc validate`: the cost model beside measurements."""

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import asdict

from specc.cli.codes import Exit
from specc.cli.measured import (
    WrongInputError,
    find_device,
    nothing_usable,
    read_tables,
    table_problem,
)
from specc.cli.options import add_allow_path_option
from specc.cli.progress import progress
from specc.cli.tables import print_table
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.tables import TableError

if TYPE_CHECKING:
    from specc.calibration.served.prediction import ServedPrediction

_GENERATIONS = ("eager", "graph", "tuned")
_EXECUTIONS = ("eager", "graph")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Compare the calibrated cost model, and the reference one, with measurements."
    )
    parser.epilog = "example: specc validate ops MatMulV2.csv --device atlas_800_a2_376t"
    kinds = parser.add_subparsers(metavar="what", dest="what", required=True)
    ops = kinds.add_parser("ops", help="kernels, by class of operators")
    ops.add_argument("tables", type=Path, nargs="+", metavar="TABLE.csv", help="measured kernels")
    ops.add_argument("--device", required=True, metavar="NAME", help="the device measured")
    ops.add_argument(
        "--spec", type=Path, metavar="SPEC", help="a spec that defines the device, from calibrate"
    )
    add_allow_path_option(ops)
    add_format_option(ops)
    for name, text in (("steps", "single forward steps"), ("serving", "runs of whole servers")):
        kind = kinds.add_parser(name, help=text)
        kind.add_argument("table", type=Path, metavar="TABLE.csv", help=text)
        if name == "steps":
            kind.add_argument(
                "--generation",
                choices=_GENERATIONS,
                default="graph",
                help="generation of the serving software",
            )
        else:
            kind.add_argument(
                "--execution",
                choices=_EXECUTIONS,
                help="how engines launch operators (default: what the row's source suggests)",
            )
        add_format_option(kind)


def run(options: argparse.Namespace) -> int:
    """Compare and print."""
    commands = {"ops": _ops, "steps": _steps, "serving": _serving}
    try:
        return commands[options.what](options)
    except WrongInputError as error:
        print_diagnostics([error.diagnostic], options.format)
        return Exit.WRONG_INPUT


def _ops(options: argparse.Namespace) -> int:
    from specc.calibration.errors import errors
    from specc.calibration.kernels import read_kernels

    device = find_device(
        options.device, calibrated=True, spec=options.spec, allow_paths=options.allow_path
    )
    assert device.calibration is not None
    try:
        table = read_kernels(read_tables(options.tables))
    except TableError as error:
        raise table_problem(error) from None
    if not table.kernels:
        raise nothing_usable("no row has a kernel that can be compared", table.skipped)
    found = errors(device, device.calibration, table)
    if options.format == "json":
        classes = [
            {
                "class": e.kind,
                "n": e.n,
                "mape": round(e.mape, 3),
                "median": round(e.median, 3),
                "p90": round(e.p90, 3),
                "bias": round(e.bias, 3),
                "reference_mape": _rounded(e.reference_mape),
            }
            for e in found
        ]
        print_json({"classes": classes, "skipped": dict(table.skipped)})
        return Exit.OK
    header = ("class", "n", "mean", "median", "p90", "bias", "flat mean", "in band")
    rows = [
        (
            e.kind,
            str(e.n),
            *(f"{value:.1f} %" for value in (e.mape, e.median, e.p90)),
            f"{e.bias:+.1f} %",
            "-" if e.reference_mape is None else f"{e.reference_mape:.1f} %",
            f"{e.inside_band:.0f} %" if e.inside_band == e.inside_band else "-",
        )
        for e in found
    ]
    print_table(header, rows)
    print("in band: measured within the 10th to 90th percentile of the fit; 80 % is expected")
    for e in found:
        print()
        say(f"worst of {e.kind}:")
        print_table(
            ("place", "sizes", "predicted us", "measured us"),
            [(w.place, w.sizes, f"{w.predicted_us:.1f}", f"{w.measured_us:.1f}") for w in e.worst],
            texts=2,
        )
    for reason, count in table.skipped.items():
        say(f"{count} rows not used: {reason}")
    return Exit.OK


def _steps(options: argparse.Namespace) -> int:
    from specc.calibration.steps import predict_steps

    [(name, text)] = read_tables([options.table])
    try:
        found = predict_steps(name, text, options.generation)
    except TableError as error:
        raise table_problem(error) from None
    if options.format == "json":
        rows = [
            {
                "case": p.case,
                "predicted_ms": _rounded(p.predicted_ms),
                "p10_ms": _rounded(p.p10_ms),
                "p90_ms": _rounded(p.p90_ms),
                "reference_ms": _rounded(p.reference_ms),
                "measured_ms": p.measured_ms,
                **({"skipped": p.skipped} if p.skipped else {}),
            }
            for p in found
        ]
        print_json({"rows": rows})
        return Exit.OK
    header = ("case", "predicted ms", "p10", "p90", "flat ms", "measured ms", "error", "flat error")
    usable = [p for p in found if not p.skipped]
    print_table(
        header,
        [
            (
                p.case,
                *(_shown(v) for v in (p.predicted_ms, p.p10_ms, p.p90_ms)),
                *(_shown(v) for v in (p.reference_ms, p.measured_ms)),
                _error(p.predicted_ms, p.measured_ms),
                _error(p.reference_ms, p.measured_ms),
            )
            for p in usable
        ],
    )
    _print_means([(p.predicted_ms, p.reference_ms, p.measured_ms) for p in usable])
    for p in found:
        if p.skipped:
            say(f"{p.case} not used: {p.skipped}")
    return Exit.OK


def _serving(options: argparse.Namespace) -> int:
    from specc.calibration.served import SkippedRun, predict_serving
    from specc.ir import Execution

    execution = Execution(options.execution) if options.execution else None
    [(name, text)] = read_tables([options.table])
    found: list[ServedPrediction] = []
    skipped: list[SkippedRun] = []
    try:
        with progress(max(1, text.count("\n") - 1), "simulating served runs") as events:
            for run in predict_serving(name, text, execution):
                events.advanced()
                if isinstance(run, SkippedRun):
                    skipped.append(run)
                else:
                    found += run
    except TableError as error:
        raise table_problem(error) from None
    if not found:
        reasons = Counter(one.reason for one in skipped)
        message = "no row has a run that can be predicted"
        raise nothing_usable(message, dict(reasons.most_common()))
    if options.format == "json":
        print_json(
            {
                "rows": [{k: _rounded(v) for k, v in asdict(one).items()} for one in found],
                "skipped": [asdict(one) for one in skipped],
            }
        )
        return Exit.OK
    _print_runs(found)
    for title, assumed in (
        ("runs whose acceptance is stated, or that draft nothing", False),
        ("runs whose acceptance of drafts is assumed (bands do not count it)", True),
    ):
        own = [one for one in found if bool(one.assumed) is assumed]
        if own:
            print()
            say(title)
            _print_summaries(own)
    reasons = Counter(one.reason for one in skipped)
    for reason, count in reasons.most_common():
        say(f"{count} rows not used: {reason}")
    return Exit.OK


def _print_runs(found: "Sequence[ServedPrediction]") -> None:
    header = ("line", "model", "software", "metric", "predicted", "p10", "p90", "measured", "error")
    rows = [
        (
            str(one.line),
            one.model,
            one.software + (" *" if one.assumed else ""),
            _UNITS[one.metric],
            *(_shown(v * _SHOWN_AS[one.metric]) for v in (one.predicted, one.p10, one.p90)),
            _shown(one.measured * _SHOWN_AS[one.metric]),
            _error(one.predicted, one.measured),
        )
        for one in found
    ]
    print_table(header, rows, texts=4)
    if any(one.assumed for one in found):
        print("* the acceptance of drafted tokens is assumed")


_UNITS = {"throughput": "throughput tok/s", "ttft": "TTFT ms", "tpot": "TPOT ms"}
_SHOWN_AS = {"throughput": 1.0, "ttft": 1e3, "tpot": 1e3}


def _print_summaries(found: "Sequence[ServedPrediction]") -> None:
    from specc.calibration.served import summaries

    header = ("runs of", "metric", "n", "ratio", "median", "mean", "in band", "rank order")
    for by in ("software", "source"):
        print_table(
            header,
            [
                (
                    one.name,
                    one.metric,
                    str(one.n),
                    f"{one.ratio:.2f}",
                    *(f"{100 * error:.0f} %" for error in one.error),
                    "-" if one.inside is None else f"{100 * one.inside:.0f} %",
                    "-" if one.order is None else f"{one.order:.2f}",
                )
                for one in summaries(found, by)
            ],
            texts=2,
        )
    print("ratio: median of predicted / measured; median, mean: of the absolute errors; in band:")
    print("measured within p10 to p90; rank order: Spearman's coefficient, of four runs or more")


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _error(predicted: float | None, measured: float | None) -> str:
    if predicted is None or not measured:
        return "-"
    return f"{(predicted / measured - 1) * 100:+.1f} %"


def _print_means(rows: list[tuple[float | None, float | None, float | None]]) -> None:
    """Print the mean absolute errors of what was measured."""
    for title, column in (("calibrated", 0), ("flat", 1)):
        errors = [
            abs(row[column] / row[2] - 1) * 100  # type: ignore[operator]
            for row in rows
            if row[2] and row[column] is not None
        ]
        if errors:
            mean, worst = math.fsum(errors) / len(errors), max(errors)
            print(
                f"{title}: mean absolute error {mean:.1f} %, worst {worst:.1f} %, "
                f"over {len(errors)} measured rows"
            )
