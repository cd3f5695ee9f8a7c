"""What `calibrate` and `validate` share: reading tables and finding devices."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from specc import library
from specc.check.table_files import LARGEST_TABLE_BYTES
from specc.diagnostics import Diagnostic
from specc.ir import Device
from specc.tables import TableError
from specc.workspace import UnreadableError, Workspace


class WrongInputError(Exception):
    """Input that a command cannot use; carries the diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def read_tables(paths: list[Path]) -> list[tuple[str, str]]:
    """Return the name and text of each table.

    Raises:
        WrongInputError: one of them cannot be read.
    """
    workspace = Workspace(Path.cwd())
    try:
        return [
            (path.name, workspace.read(path, most=LARGEST_TABLE_BYTES, unpack=True).text)
            for path in paths
        ]
    except UnreadableError as error:
        raise WrongInputError(error.diagnostic) from None


def table_problem(error: TableError) -> WrongInputError:
    """Turn what is wrong with a table into a diagnostic."""
    return WrongInputError(
        error.diagnostic("E0010", help="see 'specc explain E0010' for the tables that fit")
    )


def nothing_usable(
    message: str, skipped: Mapping[str, int], more: Sequence[str] = ()
) -> WrongInputError:
    """Return the error for tables of which no row can be used, with how many for which reason."""
    reasons = [*more, *(f"{n} rows: {reason}" for reason, n in skipped.items())]
    return WrongInputError(
        Diagnostic(
            "E0010",
            message,
            why="; ".join(reasons),
            help="see 'specc explain E0010' for the tables that fit",
        )
    )


def find_device(
    name: str, *, calibrated: bool, spec: Path | None = None, allow_paths: Sequence[Path] = ()
) -> Device:
    """Return a device of a library, or one that a spec defines.

    Raises:
        WrongInputError: there is none of that name, or it has no calibration and needs one.
    """
    try:
        device = (
            library.device(name) if spec is None else library.device_in(spec, name, allow_paths)
        )
    except library.LibraryError as error:
        raise WrongInputError(error.diagnostic) from None
    if calibrated and device.calibration is None:
        raise WrongInputError(
            Diagnostic(
                "E0010",
                f"the device '{name}' has no calibration",
                help="name a device that has one, or fit one: specc calibrate",
            )
        )
    return device
