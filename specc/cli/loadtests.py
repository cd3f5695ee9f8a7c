"""Load tests on a command line: their files, and the flags that say what served."""

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.measured import WrongInputError
from specc.cli.numbers import positive, share, tokens
from specc.diagnostics import Diagnostic
from specc.ir import CacheFormat, Execution, Quantisation, Software
from specc.loadtest import LoadTest, LoadTestError, read_load_tests
from specc.workspace import UnreadableError, Workspace

if TYPE_CHECKING:  # what simulates is imported where it is used
    from specc.calibration.comparison import AskedServer
    from specc.run.subjects import Subject
    from specc.session import ChosenPlan

    # What served a test, under its load, and what is assumed of it.
    Subjects = Callable[[LoadTest], tuple[Subject, list[str]]]

SIZES = ("tp", "pp", "dp", "ep", "dcp")
OF_A_SERVER = (
    "device", "devices", "quant", "kv_cache", *SIZES, "software", "engine_version", "execution",
    "max_num_seqs", "max_num_batched_tokens", "max_model_len",
)  # fmt: skip


def add_server_options(group: argparse._ArgumentGroup, *, device: bool = True) -> None:
    """Add the flags that say what served; without `device` the command has that of its own."""
    group.add_argument("--model", metavar="NAME|CONFIG.json|DIR", help="the model")
    if device:
        group.add_argument("--device", metavar="NAME", help="the device")
    group.add_argument(
        "--devices", type=positive, metavar="N", help="devices of one instance (on A3: dies)"
    )
    group.add_argument("--quant", choices=[each.value for each in Quantisation])
    group.add_argument("--kv-cache", choices=[each.value for each in CacheFormat])
    for name in SIZES:
        group.add_argument(f"--{name}", type=positive, metavar="N")
    group.add_argument("--software", choices=[each.value for each in Software])
    group.add_argument("--engine-version", metavar="VERSION", default="")
    group.add_argument("--execution", choices=[each.value for each in Execution])
    for name in ("max-num-seqs", "max-num-batched-tokens", "max-model-len"):
        group.add_argument(f"--{name}", type=tokens if "num-seqs" not in name else positive)
    group.add_argument("--instances", type=positive, metavar="N", help="behind the load generator")


def load_tests(files: Sequence[Path], number: int | None = None) -> list[LoadTest]:
    """Return the runs in files, or the one that was asked for.

    Raises:
        WrongInputError: a file is none, or there is no such run.
    """
    try:
        workspace = Workspace(Path.cwd())
        found = [test for path in files for test in read_load_tests(workspace, path)]
    except UnreadableError as error:
        raise WrongInputError(error.diagnostic) from None
    except LoadTestError as error:
        raise wrong_result(error) from None
    if number is None:
        return found
    if number > len(found):
        message = f"the files have {len(found)} runs, so there is no run {number}"
        raise WrongInputError(Diagnostic("E0014", message, help=f"--run 1 to --run {len(found)}"))
    return [found[number - 1]]


def wrong_result(error: LoadTestError) -> WrongInputError:
    """Return what is wrong with a result as a diagnostic."""
    help_ = error.help or "see 'specc explain E0014' for the files that are read"
    return WrongInputError(Diagnostic("E0014", error.message, why=error.why, help=help_))


def hit_of(test: LoadTest, planned: float, options: argparse.Namespace) -> tuple[float, list[str]]:
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


def asked_server(options: argparse.Namespace, test: LoadTest) -> "AskedServer":
    """Return what flags and a test say served."""
    from specc.calibration.comparison import AskedServer
    from specc.cli.models import named_model

    name = options.model or test.model
    if not name:
        options.parser.error("the file does not name its model: --model says it")
    said = test.settings.get("devices", "")
    devices = options.devices or (int(said) if said.isascii() and said.isdigit() else 0)
    if not devices:
        options.parser.error("--device needs --devices: how many, of one instance")
    return AskedServer(
        model=named_model(name),
        device=options.device,
        devices=devices,
        quant=Quantisation(options.quant) if options.quant else None,
        kv_cache=CacheFormat(options.kv_cache) if options.kv_cache else None,
        sizes={size: value for size in SIZES if (value := getattr(options, size))},
        software=Software(options.software) if options.software else None,
        version=options.engine_version,
        execution=Execution(options.execution) if options.execution else None,
        max_sequences=options.max_num_seqs,
        chunk_budget=options.max_num_batched_tokens,
        max_model_length=options.max_model_len,
        instances=options.instances or 1,
    )


def subjects_of_plan(plan: "ChosenPlan", options: argparse.Namespace) -> "Subjects":
    """Return what makes subjects of tests of a configuration; they may raise WrongInputError."""
    from attrs import evolve

    from specc.calibration.comparison import (
        model_note,
        plan_note,
        planned_subject,
        server_subject,
    )

    study = plan.result.study
    if study.simulate is not None and options.instances:
        study = evolve(study, simulate=evolve(study.simulate, instances=options.instances))
    number = plan.number
    planned = study.workload.prefix_hit if not study.workload.is_mixed else 0.0

    def subject(test: LoadTest) -> "tuple[Subject, list[str]]":
        hit, notes = hit_of(test, planned, options)
        with _told():
            if plan.configuration is None:
                return server_subject(study, test, hit), notes
            model = study.deployment(plan.configuration.deployment).model
            own = planned_subject(plan.plan, study, plan.configuration, test, hit)
            other = plan_note(plan.results.header.spec, number, test)
            return own, [*filter(None, [model_note(model, test), other]), *notes]

    return subject


def subjects_of_flags(options: argparse.Namespace) -> "Subjects":
    """Return what makes subjects of tests of the server that flags describe."""
    from specc.calibration.comparison import asked_subject, model_note

    def subject(test: LoadTest) -> "tuple[Subject, list[str]]":
        asked = asked_server(options, test)
        hit, notes = hit_of(test, 0.0, options)
        with _told():
            found, assumed = asked_subject(asked, test, hit)
        return found, [*filter(None, [model_note(asked.model, test)]), *assumed, *notes]

    return subject


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what keeps a test from being compared into a diagnostic."""
    from specc.calibration.comparison import NotComparableError
    from specc.library import LibraryError

    try:
        yield
    except LibraryError as error:
        raise WrongInputError(error.diagnostic) from None
    except NotComparableError as error:
        raise WrongInputError(error.diagnostic("E0015")) from None
