"""The policies of a kind: for each name in `ir` the class in the file of that name."""

from enum import Enum
from importlib import import_module
from typing import Any


def registered(names: type[Enum], package: str) -> tuple[Any, ...]:
    """Return the policy classes of a package, in the order of their names in `ir`.

    Args:
        names: each is that of a module, and the `name` of the class in it.
        package: where the modules are.

    Raises:
        ModuleNotFoundError: a name has no module.
        LookupError: a module has no class of its name, or several.
    """
    return tuple(_named(import_module(f"{package}.{name.value}"), name) for name in names)


def _named(module: Any, name: Enum) -> type:
    own = (c for c in vars(module).values() if getattr(c, "__module__", "") == module.__name__)
    found = [c for c in own if isinstance(c, type) and getattr(c, "name", None) is name]
    if len(found) != 1:
        raise LookupError(f"{module.__name__} has {len(found)} classes of the name {name}, not 1")
    return found[0]
