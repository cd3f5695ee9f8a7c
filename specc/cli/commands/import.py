"""`specc import`: from a command that launches a server to the deployment that it means."""

import argparse
import sys
from pathlib import Path

from specc.cli.codes import Exit
from specc.cli.given import NAME, STANDARD_INPUT, standard_input
from specc.cli.measured import WrongInputError, find_device
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.diagnostics import Diagnostic
from specc.workspace import UnreadableError, Workspace
from specc.writing import WriteError, write_texts


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Write the deployment block that a command means: 'vllm serve …', 'python -m "
        "sglang.launch_server …', a script with such a command, or the user_config.json of MindIE "
        "Motor; with a list of what could not be carried over."
    )
    parser.epilog = (
        'example: specc import "vllm serve Qwen/Qwen3-32B -tp 4 --max-num-seqs 64" --device '
        "atlas_800_a3_752t_die -o server.spec"
    )
    parser.add_argument(
        "source", metavar="COMMAND|FILE", help="a command in quotes, or a file; - is standard input"
    )
    parser.add_argument("--device", metavar="NAME", help="the device, which no command says")
    parser.add_argument("-o", "--output", type=Path, metavar="SPEC", help="the spec to write")
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Import and write."""
    try:
        return _run(options)
    except WrongInputError as error:
        print_diagnostics([error.diagnostic], options.format)
    except WriteError as error:
        print_diagnostics([error.diagnostic], options.format)
    return Exit.WRONG_INPUT


def _run(options: argparse.Namespace) -> int:
    from specc.diagnostics import Source
    from specc.imports import ImportFailedError, read_launch, text_of
    from specc.syntax.formatter import format_source

    text, what = _source(options.source)
    device = find_device(options.device, calibrated=False) if options.device else None
    try:
        found = read_launch(text)
    except ImportFailedError as error:
        raise WrongInputError(error.diagnostic("E0018")) from None
    spec = format_source(Source("imported", text_of(found, device, what)))
    lost = [note for one in found for note in one.lost]
    if options.output is not None:
        if options.output.exists():
            raise WriteError(options.output, "it exists already", "name another file")
        write_texts({options.output: spec})
    if options.format == "json":
        print_json({"spec": spec, "lost": lost})
        return Exit.OK
    if options.output is None:
        sys.stdout.write(spec)
    else:
        say(f"wrote {options.output}")
    for note in lost:
        say(f"not carried over: {note}", error=True)
    return Exit.OK


def _source(given: str) -> tuple[str, str]:
    """Return a text, and what it is called."""
    path = Path(given)
    if not given.strip():
        raise WrongInputError(
            Diagnostic("E0018", "the command is empty", help='specc import "vllm serve …"')
        )
    if " " in given.strip() and not _is_file(path):
        return given, "a command"
    try:
        if path == STANDARD_INPUT:
            return standard_input().text, NAME
        return Workspace(Path.cwd()).read(path).text, path.name
    except UnreadableError as error:
        raise WrongInputError(error.diagnostic) from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
