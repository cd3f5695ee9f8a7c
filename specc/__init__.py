"""specc compiles LLM-serving plans: text → syntax tree → typed IR → plan → results → report.

Every folder is one stage, and a module imports only from stages before its own.
Read `specc.session` first: it strings the stages together.
"""

from typing import TYPE_CHECKING, Any

from specc._version import __version__

if TYPE_CHECKING:
    from specc import library

__all__ = ["__version__", "library"]


def __getattr__(name: str) -> Any:
    """Import a public module when it is first asked for, so that the commands start fast."""
    if name == "library":
        from importlib import import_module

        return import_module("specc.library")
    raise AttributeError(f"module 'specc' has no attribute '{name}'")
