"""Finds the data folders of specc, in a wheel and in a checkout, and the user's cache folder."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
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


def cache_folder() -> Path | None:
    """Return the folder for what can be made again, made if need be; None if there can be none."""
    import platformdirs

    path = Path(platformdirs.user_cache_dir("specc", appauthor=False))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return path
