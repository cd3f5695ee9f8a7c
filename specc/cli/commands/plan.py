"""`specc plan`: what would be evaluated."""

import argparse
from pathlib import Path

from specc.cli.codes import Exit
from specc.cli.options import add_run_options, session_of
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.ir import Phase
from specc.ir.json import to_json
from specc.session import SpecError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Show the candidates of a spec, and the pruned ones, without running it."
    parser.epilog = "example: specc plan specs/qwen3-32b-chat.spec"
    parser.add_argument("spec", type=Path, metavar="SPEC", help="the spec")
    add_run_options(parser)
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the plan."""
    session = session_of(options)
    try:
        plan = session.plan
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
        return Exit.WRONG_INPUT
    print_diagnostics(session.diagnostics, "text")
    if options.format == "json":
        print_json(to_json(plan))
        return Exit.OK
    for planned in plan.studies:
        strategies = {d.search.strategy for d in planned.study.deployments}
        search = " and ".join(sorted(s.value if s else "automatic" for s in strategies))
        say(f"study {planned.study.name}: {len(planned.tasks)} candidates, {search} search")
        for task in planned.tasks:
            phase = "" if task.phase is Phase.WHOLE else f"{task.phase.value}: "
            drafted = f" | MTP={task.drafted}" if task.drafted else ""
            label = f"{phase}{task.layout.label}{task.deployment.engine.label}{drafted}"
            say(f"  {task.deployment.name:<16} {label:<26} {task.key}")
        for pruned in planned.pruned:
            say(f"  {pruned.deployment:<16} {pruned.label:<26} pruned: {pruned.reason}")
    return Exit.OK
