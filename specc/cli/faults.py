"""A fault of specc itself: what the user is told, and where the report of it lies."""

import os
import re
import sys
import traceback
from pathlib import Path

from specc._version import __version__

_PACKAGE = Path(__file__).parents[1]  # a checkout may have the same name, and is no place in it
_PLACE = re.compile(rf'File "{re.escape(str(_PACKAGE))}([\\/][^"\n]*)", line (\d+)')
_SENTENCES = {
    MemoryError: "the machine has not enough memory for this plan",
    RecursionError: "the input is nested too deeply",
}


def told(error: BaseException) -> None:
    """Say on standard error that specc failed, and keep the traceback for whoever mends it."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # an exception whose own text fails
        text = f"{type(error).__name__}\n"
    kind = next((s for cls, s in _SENTENCES.items() if isinstance(error, cls)), None)
    places = [f"specc{file.replace(os.sep, '/')}:{line}" for file, line in _PLACE.findall(text)]
    lines = [
        f"specc failed: {kind or 'unexpected error'}",
        f"  = what: {type(error).__name__}{f' in {places[-1]}' if places else ''}",
    ]
    if os.environ.get("SPECC_DEBUG"):
        lines.append(text)
    else:
        lines.append(f"  = report: {_kept(text) or 'it cannot be written; set SPECC_DEBUG=1'}")
    if isinstance(error, MemoryError):
        lines.append("  = help: free memory, or make the plan smaller")
    else:
        lines.append(
            "  = help: this is a bug in specc; please report it, with the spec and that report"
        )
    print("\n".join(lines), file=sys.stderr)


def _kept(text: str) -> str | None:
    """Write a traceback into a file of its own; returns where."""
    import tempfile

    about = f"specc {__version__}, Python {sys.version}, {sys.platform}\n{sys.argv[1:]}\n\n"
    try:
        handle, name = tempfile.mkstemp(prefix="specc-fault-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(about + text)
    except OSError:
        return None
    return name
