"""`specc compare`: results of load tests beside what was predicted of them."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specc.cli.codes import Exit
from specc.cli.measured import WrongInputError
from specc.cli.numbers import positive, share, tokens
from specc.cli.options import add_run_options
from specc.cli.progress import progress
from specc.cli.tables import print_table
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.diagnostics import Diagnostic
from specc.ir import CacheFormat, Execution, Quantisation, Software
from specc.loadtest import LoadTest, LoadTestError, read_load_tests
from specc.loadtest.logs import StartLog, read_log
from specc.loadtest.reading import LARGEST_RESULT_BYTES
from specc.report.sections.measured import figures, shown
from specc.results.comparisons import Comparison
from specc.session import SpecError
from specc.workspace import UnreadableError, Workspace
from specc.writing import WriteError

if TYPE_CHECKING:  # what simulates is imported where it is used
    from specc.calibration.comparison import AskedServer
    from specc.run.subjects import Subject
    from specc.session import ChosenPlan

    Subjects = Callable[[LoadTest], tuple[Subject, list[str]]]

_PLANS = (".spec", ".result.json")
_SIZES = ("tp", "pp", "dp", "ep", "dcp")
_OF_A_SERVER = (
    "device", "devices", "quant", "kv_cache", *_SIZES, "software", "engine_version", "execution",
    "max_num_seqs", "max_num_batched_tokens", "max_model_len",
)  # fmt: skip


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
    parser.add_argument(
        "--study", metavar="NAME", help="the study of the plan (default: the first)"
    )
    parser.add_argument(
        "--configuration",
        type=positive,
        metavar="N",
        help="the configuration in the report's table (default: the recommended one)",
    )
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
    _configure_server(parser.add_argument_group("what was measured, where there is no plan"))
    add_run_options(parser)
    add_format_option(parser)
    parser.set_defaults(parser=parser)


def _configure_server(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model", metavar="NAME|CONFIG.json|DIR", help="the model")
    group.add_argument("--device", metavar="NAME", help="the device")
    group.add_argument(
        "--devices", type=positive, metavar="N", help="devices of one instance (on A3: dies)"
    )
    group.add_argument("--quant", choices=[each.value for each in Quantisation])
    group.add_argument("--kv-cache", choices=[each.value for each in CacheFormat])
    for name in _SIZES:
        group.add_argument(f"--{name}", type=positive, metavar="N")
    group.add_argument("--software", choices=[each.value for each in Software])
    group.add_argument("--engine-version", metavar="VERSION", default="")
    group.add_argument("--execution", choices=[each.value for each in Execution])
    for name in ("max-num-seqs", "max-num-batched-tokens", "max-model-len"):
        group.add_argument(f"--{name}", type=tokens if "num-seqs" not in name else positive)
    group.add_argument("--instances", type=positive, metavar="N", help="behind the load generator")


def run(options: argparse.Namespace) -> int:
    """Compare and print; exit code 1 if a mean lies outside of its interval."""
    try:
        return _run(options)
    except WrongInputError as error:
        print_diagnostics([error.diagnostic], options.format)
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
    except WriteError as error:
        print_diagnostics([error.diagnostic], options.format)
    return Exit.WRONG_INPUT


def _run(options: argparse.Namespace) -> int:
    plan, files = _split(options)
    tests = _tests(files, options)
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
    given = [name for name in ("model", *_OF_A_SERVER) if getattr(options, name)]
    if given:
        options.parser.error(
            f"--{given[0].replace('_', '-')} is of a server without a plan; set fields of the plan "
            "with --set"
        )
    if options.out and not options.report:
        options.parser.error("--out is where --report writes")
    return first, others


def _tests(files: Sequence[Path], options: argparse.Namespace) -> list[LoadTest]:
    """Return the runs in files, or the one that was asked for."""
    try:
        workspace = Workspace(Path.cwd())
        found = [test for path in files for test in read_load_tests(workspace, path)]
    except UnreadableError as error:
        raise WrongInputError(error.diagnostic) from None
    except LoadTestError as error:
        raise wrong_result(error) from None
    if options.run is None:
        return found
    if options.run > len(found):
        message = f"the files have {len(found)} runs, so there is no run {options.run}"
        raise WrongInputError(Diagnostic("E0014", message, help=f"--run 1 to --run {len(found)}"))
    return [found[options.run - 1]]


def wrong_result(error: LoadTestError) -> WrongInputError:
    """Return what is wrong with a result as a diagnostic."""
    help_ = error.help or "see 'specc explain E0014' for the files that are read"
    return WrongInputError(Diagnostic("E0014", error.message, why=error.why, help=help_))


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


def _hit(test: LoadTest, planned: float, options: argparse.Namespace) -> tuple[float, list[str]]:
    """Return the share of cached prompt tokens, and what is assumed of it."""
    if options.prefix_hit is not None:
        return float(options.prefix_hit), []
    said = test.settings.get("prefix_hit")
    if said is not None:
        try:
            return share(said), []
        except argparse.ArgumentTypeError as error:
            message = f"'prefix_hit' of the result is no share: {error}"
            help_ = "--prefix-hit says it instead"
            raise WrongInputError(Diagnostic("E0014", message, help=help_)) from None
    if planned:
        return 0.0, [
            f"the plan has a prefix hit of {planned:.0%}, the file says nothing of it: prompts are "
            "taken as not cached (--prefix-hit says it)"
        ]
    return 0.0, []


def _alone(
    tests: Sequence[LoadTest], options: argparse.Namespace, log: StartLog | None
) -> list[Comparison]:
    from specc.calibration.comparison import measured_alone

    given = [name for name in ("model", *_OF_A_SERVER, "instances") if getattr(options, name)]
    if given:
        flag = given[0].replace("_", "-")
        options.parser.error(f"--{flag} needs --device, --devices and --model")
    note = "nothing is predicted: name a plan, or --model, --device and --devices"
    return [measured_alone(test, [note], log) for test in tests]


def _with_plan(
    path: Path, tests: Sequence[LoadTest], options: argparse.Namespace, log: StartLog | None
) -> "tuple[list[Comparison], ChosenPlan]":
    from attrs import evolve

    from specc.calibration.comparison import model_note, planned_subject, server_subject
    from specc.cli.options import chosen_plan

    plan = chosen_plan(options, path)
    study = plan.result.study
    if study.simulate is not None and options.instances:
        study = evolve(study, simulate=evolve(study.simulate, instances=options.instances))
    planned = study.workload.prefix_hit if not study.workload.is_mixed else 0.0

    def subject(test: LoadTest) -> "tuple[Subject, list[str]]":
        hit, notes = _hit(test, planned, options)
        if plan.configuration is None:
            return server_subject(study, test, hit), notes
        model = study.deployment(plan.configuration.deployment).model
        own = planned_subject(plan.plan, study, plan.configuration, test, hit)
        return own, [*filter(None, [model_note(model, test)]), *notes]

    return _compared(tests, subject, log), plan


def _with_flags(
    tests: Sequence[LoadTest], options: argparse.Namespace, log: StartLog | None
) -> list[Comparison]:
    from specc.calibration.comparison import asked_subject, model_note

    def subject(test: LoadTest) -> "tuple[Subject, list[str]]":
        asked = _asked(options, test)
        hit, notes = _hit(test, 0.0, options)
        found, assumed = asked_subject(asked, test, hit)
        return found, [*filter(None, [model_note(asked.model, test)]), *assumed, *notes]

    return _compared(tests, subject, log)


def _asked(options: argparse.Namespace, test: LoadTest) -> "AskedServer":
    from specc.calibration.comparison import AskedServer
    from specc.cli.models import named_model

    name = options.model or test.model
    if not name:
        options.parser.error("the file does not name its model: --model says it")
    devices = options.devices or int(test.settings.get("devices", "0") or 0)
    if not devices:
        options.parser.error("--device needs --devices: how many, of one instance")
    return AskedServer(
        model=named_model(name),
        device=options.device,
        devices=devices,
        quant=Quantisation(options.quant) if options.quant else None,
        kv_cache=CacheFormat(options.kv_cache) if options.kv_cache else None,
        sizes={size: value for size in _SIZES if (value := getattr(options, size))},
        software=Software(options.software) if options.software else None,
        version=options.engine_version,
        execution=Execution(options.execution) if options.execution else None,
        max_sequences=options.max_num_seqs,
        chunk_budget=options.max_num_batched_tokens,
        max_model_length=options.max_model_len,
        instances=options.instances or 1,
    )


def _compared(
    tests: Sequence[LoadTest], subject: "Subjects", log: StartLog | None
) -> list[Comparison]:
    from specc.calibration.comparison import NotComparableError, compared
    from specc.library import LibraryError
    from specc.simulation.requests import TooLongError

    found = []
    try:
        with progress(7 * len(tests), "simulating the load") as events:
            for test in tests:
                own, notes = subject(test)
                found.append(compared(test, own, notes, log, events.advanced))
    except LibraryError as error:
        raise WrongInputError(error.diagnostic) from None
    except NotComparableError as error:
        diagnostic = Diagnostic("E0015", error.message, why=error.why, help=error.help)
        raise WrongInputError(diagnostic) from None
    except TooLongError:
        message = "the load of the test takes longer than can be simulated"
        raise WrongInputError(Diagnostic("E0015", message)) from None
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
