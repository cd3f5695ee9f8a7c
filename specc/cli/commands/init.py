"""`specc init`: a first spec to edit, and what git must know about specs."""

import argparse
import os
from pathlib import Path

from specc.cli.codes import Exit
from specc.cli.terminal import print_diagnostics, say
from specc.diagnostics import Diagnostic

_SPEC = """\
# Which parallel layout and batch size serve this workload best on these devices?
# Change what is yours and run:  specc run {name}
use std.devices
use std.models

## What the requests look like, and what they are promised
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
    if os.path.exists(path):  # which does not raise
        problem = Diagnostic("E0006", f"'{path}' is there already", help="choose another name")
        print_diagnostics([problem], "text")
        return Exit.WRONG_INPUT
    from specc.diagnostics import Source
    from specc.syntax.formatter import format_source

    spec = format_source(Source(path.name, _SPEC.format(name=path.name)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, spec)
        _ensure(path.parent / ".gitignore", _IGNORE)
        _ensure(path.parent / ".gitattributes", _ATTRIBUTES)
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        print_diagnostics([Diagnostic("E0006", f"cannot write beside '{path}': {reason}")], "text")
        return Exit.WRONG_INPUT
    say(f"now run: specc run {path}", error=True)
    return Exit.OK


def _write(path: Path, text: str) -> None:
    from specc.atomic import replace_text

    replace_text(path, text)
    say(f"wrote {path}")


def _ensure(path: Path, line: str) -> None:
    """Add a line to a file unless it is there."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    said = [known for known in text.splitlines() if known.endswith("*.spec") or known == line]
    if said and said[-1] == line:
        return
    gap = "" if not text or text.endswith("\n") else "\n"
    _write(path, f"{text}{gap}{line}\n")
