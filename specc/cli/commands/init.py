"""`specc init`: a first spec to edit, and what git must know about specs."""

import argparse
import os
from pathlib import Path

from specc.cli.codes import Exit
from specc.cli.terminal import print_diagnostics, say
from specc.diagnostics import Diagnostic
from specc.workspace import UnreadableError, Workspace
from specc.writing import WriteError, write_texts

_SPEC = """\
# Which parallel layout and batch size serve this workload best on these devices?
# Adapt it, then run:  specc run {name}
use std.devices
use std.models

## The requests, and their objectives
workload chat {{
    input      = 3500 tok
    output     = 1500 tok
    prefix_hit = 0%         # the share of a prompt that the prefix cache already holds
    slo {{
        ttft <= 15 s
        tpot <= 50 ms
    }}
}}

## The model, the devices, and the layouts to try
deployment server {{
    model   = qwen3_32b             # or your own: model mine {{ config = "config.json" }}
    quant   = w8a8_dynamic
    device  = atlas_800_a3_752t_die
    devices = 8                     # on A3 these are dies, two a card
    parallel {{ tp = auto }}
    engine {{ reserved_memory = 10 GiB }}
}}

## The question
study layouts {{
    workload    = chat
    deployments = [server]          # several are compared
}}
"""
_IGNORE = "!*.spec"
_ATTRIBUTES = "*.spec text eol=lf linguist-language=HCL"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Write a first spec, and lines for .gitignore and .gitattributes beside it: the usual "
        "Python ignore list hides *.spec, and code hosts take it for RPM."
    )
    parser.epilog = "example: specc init plan.spec"
    parser.add_argument(
        "spec", nargs="?", type=Path, default=Path("plan.spec"), metavar="SPEC", help="plan.spec"
    )


def run(options: argparse.Namespace) -> int:
    """Write what is missing; a spec that is there stays."""
    path: Path = options.spec
    if os.path.lexists(path):
        problem = Diagnostic("E0006", f"'{path}' already exists", help="choose another name")
        print_diagnostics([problem], "text")
        return Exit.WRONG_INPUT
    from specc.diagnostics import Source
    from specc.syntax.formatter import format_source

    spec = format_source(Source(path.name, _SPEC.format(name=path.name)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = {
            path: spec,
            **_with_line(path.parent / ".gitignore", _IGNORE),
            **_with_line(path.parent / ".gitattributes", _ATTRIBUTES),
        }
        write_texts(texts)
    except OSError as error:
        print_diagnostics([WriteError.because(path, error).diagnostic], "text")
        return Exit.WRONG_INPUT
    except (UnreadableError, WriteError) as error:
        print_diagnostics([error.diagnostic], "text")
        return Exit.WRONG_INPUT
    for written in texts:
        say(f"wrote {written}")
    say(f"now run: specc run {path}", error=True)
    return Exit.OK


def _with_line(path: Path, line: str) -> dict[Path, str]:
    """Return the text of a file with a line added; nothing if it has the line."""
    text = Workspace(path.parent).read(path).text if os.path.lexists(path) else ""
    said = [known for known in text.splitlines() if known.endswith("*.spec") or known == line]
    if said and said[-1] == line:
        return {}
    gap = "" if not text or text.endswith("\n") else "\n"
    return {path: f"{text}{gap}{line}\n"}
