"""Which engines can be launched, and as what: a new one is a module and a line here."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from attrs import frozen

from specc.ir import Software
from specc.outputs.launch import motor, scripts, vllm, vllm_ascend
from specc.outputs.launch.base import CannotLaunchError, LaunchPlan
from specc.records import Record

ENGINES: dict[Software, ModuleType] = {
    Software.VLLM_ASCEND: vllm_ascend,
    Software.VLLM: vllm,
}


@frozen(eq=False, repr=False)
class LaunchTarget(Record):
    """A way to launch.

    Attributes:
        name: as the command line has it.
        doc: what it makes.
        files: makes its files, with the module of the engine and a folder of templates.
    """

    name: str
    doc: str
    files: Callable[[LaunchPlan, ModuleType, Path | None], dict[str, str]]


TARGETS = (
    LaunchTarget("shell", "a script for each server", scripts.shell),
    LaunchTarget("compose", "a compose file for one server", scripts.compose),
    LaunchTarget(
        "kubernetes", "a manifest, LeaderWorkerSet for several servers", scripts.kubernetes
    ),
    LaunchTarget(
        "motor", "user_config.json of MindIE Motor, for prefill and decode apart", motor.files
    ),
)


def launch_files(plan: LaunchPlan, target: str, templates: Path | None = None) -> dict[str, str]:
    """Return the files that launch a plan, by their names.

    Args:
        plan: the configuration.
        target: the name of one of `TARGETS`.
        templates: a folder with templates of a user, which count before those of specc.

    Raises:
        CannotLaunchError: it cannot be launched so.
    """
    software = {group.software for group in plan.groups}
    if len(software) > 1:
        names = " and ".join(sorted(one.value for one in software))
        raise CannotLaunchError(
            f"the instances have different engines: {names}", help="name one for both phases"
        )
    (engine,) = software
    chosen = next(one for one in TARGETS if one.name == target)
    return chosen.files(plan, ENGINES[engine], templates)
