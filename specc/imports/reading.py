"""What a text is: a command, a script, or a configuration."""

import json
from collections.abc import Mapping
from typing import Any

from specc.imports import motor, sglang, vllm
from specc.imports.base import Imported, ImportFailedError
from specc.imports.commands import commands_in

_READERS = {"vllm": vllm.read, "sglang": sglang.read}
_HELP = (
    "give a command ('vllm serve MODEL …', 'python -m sglang.launch_server …'), a script with one, "
    "or the user_config.json of MindIE Motor"
)


def read_launch(text: str) -> list[Imported]:
    """Return the instances that a text launches, those that prefill first.

    Raises:
        ImportFailedError: it launches nothing that is known.
    """
    data = _json(text)
    found = motor.read(data) if data is not None else _of_script(text)
    for one in found:
        if not one.model:
            raise ImportFailedError("the command names no model", help=_HELP)
    return sorted(found, key=lambda one: ("whole", "prefill", "decode").index(one.role))


def _json(text: str) -> Mapping[str, Any] | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not motor.fits(data):
        raise ImportFailedError("this JSON is not a configuration of MindIE Motor", help=_HELP)
    found: Mapping[str, Any] = data
    return found


def _of_script(text: str) -> list[Imported]:
    try:
        commands = list(commands_in(text))
    except ValueError as error:
        raise ImportFailedError(f"the script cannot be read: {error}", help=_HELP) from None
    if not commands:
        raise ImportFailedError("there is no command that launches a server", help=_HELP)
    found: dict[str, Imported] = {}
    for command in commands:
        one = _READERS[command.engine](command.words, command.variables)
        if one.role in found:
            found[one.role].lose(f"a further command of {one.model}", "one of each role is read")
        else:
            found[one.role] = one
    return list(found.values())
