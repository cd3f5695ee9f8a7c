"""`specc launch`: files that run the configuration of a plan."""

import argparse
import os
from pathlib import Path

from specc.cli.codes import Exit
from specc.cli.options import add_choice_options, add_run_options, chosen_plan
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.session import InfeasibleError, SpecError
from specc.writing import WriteError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from specc.outputs.launch import TARGETS

    names = ", ".join(f"{target.name} ({target.doc})" for target in TARGETS)
    parser.description = (
        "Write the files that launch a configuration of a plan, a load test that measures what the "
        "plan promised, and a README: in which order to start what, every flag with its reason, "
        f"and what is assumed. Targets: {names}."
    )
    parser.epilog = "example: specc launch plan.spec --target shell --out launch"
    parser.add_argument("plan", type=Path, metavar="PLAN", help="a spec, or its .result.json")
    add_choice_options(parser)
    parser.add_argument(
        "--target",
        choices=[target.name for target in TARGETS],
        default="shell",
        help="what to write (default: shell)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    parser.add_argument(
        "--force", action="store_true", help="overwrite files in the folder that differ"
    )
    parser.add_argument(
        "--templates",
        type=Path,
        metavar="DIR",
        help="templates of your own, by the names of those in templates/launch",
    )
    add_run_options(parser)
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Write the files; exit code 2 if the configuration cannot be launched."""
    from specc.outputs.launch import CannotLaunchError
    from specc.outputs.templates import WrongTemplateError

    try:
        return _run(options)
    except InfeasibleError as error:
        print_diagnostics(error.diagnostics, options.format)
        return Exit.INFEASIBLE
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
    except WriteError as error:
        print_diagnostics([error.diagnostic], options.format)
    except CannotLaunchError as error:
        print_diagnostics([error.diagnostic("E0016")], options.format)
    except WrongTemplateError as error:
        print_diagnostics([error.diagnostic("E0017")], options.format)
    return Exit.WRONG_INPUT


def _run(options: argparse.Namespace) -> int:
    from specc.outputs.files import Report, write_files
    from specc.outputs.launch import CannotLaunchError, LaunchPlan, launch_files

    chosen = chosen_plan(options, options.plan)
    configuration, number = chosen.configuration, chosen.number
    if configuration is None or number is None:
        raise CannotLaunchError(
            f"'{chosen.result.study.name}' simulates a server whose steps were measured",
            help="name a study of deployments: --study",
        )
    plan = LaunchPlan(chosen.results.header, chosen.result.study, configuration, number)
    files = launch_files(plan, options.target, options.templates)
    if not options.force:
        _check_free(options.out, files)
    written = write_files(Report(files), options.out, inputs=chosen.files)
    for path in written:
        if path.suffix == ".sh":
            _make_executable(path)
    if options.format == "json":
        print_json({"files": [path.as_posix() for path in written]})
        return Exit.OK
    for path in written:
        say(f"wrote {os.path.relpath(path)}")
    say(f"read {os.path.relpath(options.out / 'README.md')} first")
    return Exit.OK


def _check_free(folder: Path, files: dict[str, str]) -> None:
    """Refuse to overwrite files that say something else."""
    for name, text in files.items():
        path = folder / name
        if os.path.lexists(path) and not _is(path, text):
            raise WriteError(path, "it is there, and says something else", "add --force")


def _is(path: Path, text: str) -> bool:
    from specc.reading import read_bytes

    try:
        return read_bytes(path, len(text.encode()) + 1) == text.encode()
    except (OSError, ValueError):
        return False


def _make_executable(path: Path) -> None:
    try:
        path.chmod(path.stat().st_mode | 0o111)
    except OSError as error:
        raise WriteError.because(path, error) from None
