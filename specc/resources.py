"""Finds the data folders of specc, in a wheel and in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
MADE = _PACKAGE / "_made"  # what an installation holds ready-made; see .build/hatch_build.py
_INSTALLED = _PACKAGE / "_data"
_CHECKOUT = _PACKAGE.parent


def folder(name: str) -> Path:
    """Return the data folder `name`: `grammar`, `templates` or `specs/std`.

    Raises:
        FileNotFoundError: neither a wheel nor a checkout holds it (a broken installation).
    """
    for root in (_INSTALLED, _CHECKOUT):
        path = root / name
        if path.is_dir():
            return path
    raise FileNotFoundError(f"specc is not installed completely: its folder '{name}' is missing")
