"""`specc init`: a first spec to edit, what git must know about specs, and what CI needs."""

import argparse
import os
import re
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
# Examples that a plan can begin with; they are in the package.
EXAMPLES = {
    "chat": "qwen3-32b-chat",
    "pd": "deepseek-v3-pd-ratio",
    "trace": "conversation-trace",
    "compare": "code-completion",
}
_TRACE, _SAMPLE = "traces/splitwise_conv.csv", "requests.csv"
_SAMPLED, _SEED = 300, 1  # requests of a sample, and of their random numbers

CI = {"github": ".github/workflows/plans.yml", "gitlab": ".gitlab-ci.yml"}
_IGNORE = "!*.spec"
_ATTRIBUTES = "*.spec text eol=lf linguist-language=HCL"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Write a first spec, and lines for .gitignore and .gitattributes beside it: the usual "
        "Python ignore list hides *.spec, and code hosts take it for RPM."
    )
    parser.epilog = "example: specc init plan.spec; specc init --from pd; specc init --ci github"
    parser.add_argument(
        "--from",
        dest="example",
        choices=sorted(EXAMPLES),
        help="begin with an example: chat, prefill and decode apart (pd), the replay of a trace, "
        "or a comparison of devices by cost",
    )
    parser.add_argument(
        "--ci",
        choices=sorted(CI),
        help="also write a workflow that checks the plans, and posts what a change does to them",
    )
    parser.add_argument(
        "spec", nargs="?", type=Path, default=Path("plan.spec"), metavar="SPEC", help="plan.spec"
    )


def run(options: argparse.Namespace) -> int:
    """Write what is missing; a spec that is there stays."""
    path: Path = options.spec
    if options.ci is not None and options.example is None and os.path.lexists(path):
        return _only_workflow(options.ci, path.parent)
    if os.path.lexists(path):
        problem = Diagnostic("E0006", f"'{path}' already exists", help="choose another name")
        print_diagnostics([problem], "text")
        return Exit.WRONG_INPUT
    from specc.diagnostics import Source
    from specc.syntax.formatter import format_source

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        spec, beside = _first(options.example, path)
        texts = {
            path: format_source(Source(path.name, spec)),
            **beside,
            **_workflow(options.ci, path.parent),
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


def _only_workflow(ci: str, folder: Path) -> int:
    """Write the workflow of a repository that has a plan."""
    try:
        texts = _workflow(ci, folder)
        write_texts(texts)
    except (UnreadableError, WriteError) as error:
        print_diagnostics([error.diagnostic], "text")
        return Exit.WRONG_INPUT
    for written in texts:
        say(f"wrote {written}")
    say("it needs the reports to be committed, beside their specs", error=True)
    return Exit.OK


def _first(example: str | None, path: Path) -> tuple[str, dict[Path, str]]:
    """Return the text of a first spec, and the files that it reads."""
    if example is None:
        return _SPEC.format(name=path.name), {}
    from specc import resources

    name = f"{EXAMPLES[example]}.spec"
    folder = resources.folder("specs/std").parent
    text = Workspace(folder).read(folder / name).text.replace(name, path.name)
    if _TRACE not in text:
        return text, {}
    sample = path.parent / _SAMPLE
    if os.path.lexists(sample):
        raise WriteError(sample, "it already exists", "choose another folder")
    head = f"# {_SAMPLE} holds {_SAMPLED} made-up requests: put yours there, in the same columns.\n"
    text = re.sub(r"^# How many instances carry an hour.*\n", "", text, flags=re.M)
    text = text.replace("How many instances carry 20 req/s, 3.6 times this load,",
                        "How many instances carry 20 req/s,")  # fmt: skip
    about = re.compile(r"^# The requests are those of .*?\n(?=use )", re.S | re.M)
    text = about.sub("", text.replace(_TRACE, _SAMPLE))
    return head + re.sub(r"^## Conversations as .*", "## Conversations", text, flags=re.M), {
        sample: _sample()
    }


def _sample() -> str:
    """Return made-up requests of conversations, the same every time."""
    import random

    numbers = random.Random(_SEED)
    rows, now = ["arrived_at,num_prefill_tokens,num_decode_tokens"], 0.0
    for _ in range(_SAMPLED):
        now += numbers.expovariate(5.5)
        prompt = min(8000, 1 + round(numbers.lognormvariate(6.4, 1.1)))
        output = min(1500, 1 + round(numbers.lognormvariate(4.9, 0.8)))
        rows.append(f"{now:.3f},{prompt},{output}")
    return "\n".join(rows) + "\n"


def _workflow(ci: str | None, folder: Path) -> dict[Path, str]:
    """Return the workflow of a CI, by its path in the repository."""
    if ci is None:
        return {}
    from specc import resources

    source = resources.folder("templates") / "ci" / f"{ci}.yml"
    target = folder / CI[ci]
    if os.path.lexists(target):
        raise WriteError(target, "it already exists", "move it away, or merge by hand")
    target.parent.mkdir(parents=True, exist_ok=True)
    return {target: Workspace(source.parent).read(source).text}


def _with_line(path: Path, line: str) -> dict[Path, str]:
    """Return the text of a file with a line added; nothing if it has the line."""
    text = Workspace(path.parent).read(path).text if os.path.lexists(path) else ""
    said = [known for known in text.splitlines() if known.endswith("*.spec") or known == line]
    if said and said[-1] == line:
        return {}
    gap = "" if not text or text.endswith("\n") else "\n"
    return {path: f"{text}{gap}{line}\n"}
