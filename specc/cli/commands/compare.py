"""`specc compare`: results of load tests beside what was predicted of them."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specc.cli.codes import Exit
from specc.cli.loadtests import (
    OF_A_SERVER,
    add_server_options,
    load_tests,
    subjects_of_flags,
    subjects_of_plan,
    wrong_result,
)
from specc.cli.measured import WrongInputError
from specc.cli.numbers import positive, share
from specc.cli.options import add_choice_options, add_run_options
from specc.cli.progress import progress
from specc.cli.tables import print_table
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.diagnostics import Diagnostic
from specc.loadtest import LoadTest, LoadTestError
from specc.loadtest.logs import StartLog, read_log
from specc.loadtest.reading import LARGEST_RESULT_BYTES
from specc.report.sections.measured import figures, shown
from specc.results.comparisons import Comparison
from specc.session import InfeasibleError, SpecError
from specc.workspace import UnreadableError, Workspace
from specc.writing import WriteError

if TYPE_CHECKING:  # what simulates is imported where it is used
    from specc.cli.loadtests import Subjects
    from specc.session import ChosenPlan

_PLANS = (".spec", ".result.json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Read results of load tests, convert them to specc's definitions, simulate the same load "
        "on the configuration of a plan, or on the server that flags describe, and say what lies "
        "outside of its interval and what the difference looks like. Without a plan and a device "
        "it prints what was measured."
    )
    parser.epilog = (
        "examples: specc compare plan.spec vllm-result.json; specc compare result.json --model "
        "qwen3_32b --device atlas_800_a3_752t_die --devices 8 --tp 8"
    )
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="[PLAN] RESULT",
        help="a spec or its .result.json, then results: files or folders of vllm bench serve, "
        "guidellm, aiperf, evalscope perf, ais_bench or sglang.bench_serving",
    )
    add_choice_options(parser)
    parser.add_argument(
        "--prefix-hit",
        type=share,
        metavar="SHARE",
        help="share of the prompts that the prefix cache had, such as 30%% (default: what the file "
        "says, or 0)",
    )
    parser.add_argument(
        "--run", type=positive, metavar="N", help="only run N of those in the files"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="log of the start of the engine")
    parser.add_argument(
        "--report",
        action="store_true",
        help="write the report of the plan with a section on the measurements: "
        "PLAN.measured.report.md and .html",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where --report writes")
    add_server_options(parser.add_argument_group("what was measured, where there is no plan"))
    add_run_options(parser)
    add_format_option(parser)
    parser.set_defaults(parser=parser)


def run(options: argparse.Namespace) -> int:
    """Compare and print; exit code 1 if a mean lies outside of its interval."""
    try:
        return _run(options)
    except WrongInputError as error:
        print_diagnostics([error.diagnostic], options.format)
    except InfeasibleError as error:
        print_diagnostics(error.diagnostics, options.format)
        return Exit.INFEASIBLE
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
    except WriteError as error:
        print_diagnostics([error.diagnostic], options.format)
    return Exit.WRONG_INPUT


def _run(options: argparse.Namespace) -> int:
    plan, files = _split(options)
    tests = load_tests(files, options.run)
    log = _read_log(options.log)
    if plan is not None:
        found, chosen = _with_plan(plan, tests, options, log)
    elif options.device is not None:
        found, chosen = _with_flags(tests, options, log), None
    else:
        found, chosen = _alone(tests, options, log), None
    if options.report:
        _write_report(options, chosen, found)
    if options.format == "json":
        whole = [_plain(one) for one in found]
        print_json(whole[0] if len(whole) == 1 else {"runs": whole})
    else:
        for number, one in enumerate(found):
            if number:
                print()
            _print(one)
    return Exit.FAILED if any(one.verdict == "outside" for one in found) else Exit.OK


def _split(options: argparse.Namespace) -> tuple[Path | None, list[Path]]:
    first, *others = options.paths
    if not str(first).endswith(_PLANS):
        for name in ("study", "configuration", "report", "out"):
            if getattr(options, name):
                options.parser.error(f"--{name} is of a plan: name its spec first")
        return None, [first, *others]
    if not others:
        options.parser.error("name the results of load tests after the plan")
    given = [name for name in ("model", *OF_A_SERVER) if getattr(options, name)]
    if given:
        options.parser.error(
            f"--{given[0].replace('_', '-')} is of a server without a plan; set fields of the plan "
            "with --set"
        )
    if options.out and not options.report:
        options.parser.error("--out is where --report writes")
    return first, others


def _read_log(path: Path | None) -> StartLog | None:
    if path is None:
        return None
    try:
        text = Workspace(Path.cwd()).read(path, most=LARGEST_RESULT_BYTES, unpack=True).text
        return read_log(text, path.name)
    except LoadTestError as error:
        raise wrong_result(error) from None
    except UnreadableError as error:
        raise WrongInputError(error.diagnostic) from None


def _alone(
    tests: Sequence[LoadTest], options: argparse.Namespace, log: StartLog | None
) -> list[Comparison]:
    from specc.calibration.comparison import measured_alone

    given = [name for name in ("model", *OF_A_SERVER, "instances") if getattr(options, name)]
    if given:
        flag = given[0].replace("_", "-")
        options.parser.error(f"--{flag} needs --device, --devices and --model")
    note = "nothing is predicted: name a plan, or --model, --device and --devices"
    return [measured_alone(test, [note], log) for test in tests]


def _with_plan(
    path: Path, tests: Sequence[LoadTest], options: argparse.Namespace, log: StartLog | None
) -> "tuple[list[Comparison], ChosenPlan]":
    from specc.cli.options import chosen_plan

    plan = chosen_plan(options, path)
    return _compared(tests, subjects_of_plan(plan, options), log), plan


def _with_flags(
    tests: Sequence[LoadTest], options: argparse.Namespace, log: StartLog | None
) -> list[Comparison]:
    return _compared(tests, subjects_of_flags(options), log)


def _compared(
    tests: Sequence[LoadTest], subject: "Subjects", log: StartLog | None
) -> list[Comparison]:
    from specc.calibration.comparison import compared
    from specc.simulation.requests import TooLongError

    found = []
    try:
        with progress(7 * len(tests), "simulating the load") as events:
            for test in tests:
                own, notes = subject(test)
                found.append(compared(test, own, notes, log, events.advanced))
    except TooLongError:
        message = "the load of the test takes longer than can be simulated"
        help_ = "measure fewer requests, or compare a faster configuration"
        raise WrongInputError(Diagnostic("E0015", message, help=help_)) from None
    return found


def _write_report(
    options: argparse.Namespace, plan: "ChosenPlan | None", found: Sequence[Comparison]
) -> None:
    from attrs import evolve

    from specc.outputs.files import write_files
    from specc.outputs.material import Material
    from specc.outputs.registry import render

    assert plan is not None
    material = Material(plan.results, suffix=".measured", comparisons=tuple(found))
    report = render(material)
    report = evolve(
        report, files={n: t for n, t in report.files.items() if not n.endswith(".result.json")}
    )
    folder = options.out or options.paths[0].parent
    for path in write_files(report, folder, inputs=plan.files):
        if path.name.endswith((".md", ".html")):
            say(f"wrote {os.path.relpath(path)}", error=options.format == "json")


_MEASURED = ("figure", "unit", "measured")
_PREDICTED = ("predicted", "p10", "p90", "difference", "interval")


def _print(found: Comparison) -> None:
    say(" ".join(filter(None, (found.tool, found.version, found.name))) + f": {found.load}")
    failed = "failed: not known" if found.failed is None else f"failed: {found.failed}"
    cut = f", cut off: {found.cancelled}" if found.cancelled else ""
    say(
        f"{found.requests} requests of {found.input:,.4g} + {found.output:,.4g} tokens in "
        f"{found.duration:.4g} s, {failed}{cut}"
    )
    if found.configuration:
        say(f"beside {found.configuration}")
    print()
    header, rows = list(_MEASURED), figures(found)
    if found.configuration:
        header += _PREDICTED
    print_table(header, [row[: len(header)] for row in rows], texts=2)
    if found.verdict:
        print()
        print(f"verdict: the means are {found.verdict} their intervals")
    for look in found.looks:
        say(f"looks like {look.kind}: {look.why}")
        say(f"  try: {look.remedy}")
    if found.memory:
        print()
        print_table(
            ("memory", "unit", "log", "specc"),
            [(m.name, m.unit, shown(m.logged), shown(m.predicted)) for m in found.memory],
            texts=2,
        )
    for note in found.notes:
        say(f"note: {note}")


def _plain(found: Comparison) -> dict[str, Any]:
    """Return a comparison as data: times in seconds, rates a second."""
    predicted = _flat(found.predicted) if found.predicted else None
    return {
        "measured": {
            **_flat(found.measured),
            "requests": found.requests,
            "failed": found.failed,
            "cancelled": found.cancelled,
            "duration": found.duration,
            "input_tokens": found.input,
            "output_tokens": found.output,
        },
        "predicted": predicted,
        "interval": _flat(found.interval) if found.interval else None,
        "verdict": found.verdict or None,
        "tool": found.tool,
        "version": found.version or None,
        "run": found.name or None,
        "model": found.model or None,
        "load": found.load,
        "configuration": found.configuration or None,
        "looks_like": [
            {"kind": look.kind, "why": look.why, "try": look.remedy} for look in found.looks
        ],
        "memory": [
            {"name": m.name, "unit": m.unit, "logged": m.logged, "predicted": m.predicted}
            for m in found.memory
        ],
        "notes": list(found.notes),
    }


def _flat(figures: Any) -> dict[str, Any]:
    """Return figures with those that are one number as that number."""
    return {
        metric: of["mean"] if metric in ("throughput", "rate") else dict(of)
        for metric, of in figures.items()
    }
