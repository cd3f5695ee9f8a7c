"""Every diagnostic code, with its severity and what it stands for. Codes never change meaning."""

from enum import Enum

from attrs import frozen


class Severity(Enum):
    """How bad it is: an error stops the compilation, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@frozen
class Code:
    """A registered code: its identifier, severity and title."""

    id: str
    severity: Severity
    title: str


def _errors(*entries: tuple[str, str]) -> dict[str, Code]:
    return {id_: Code(id_, Severity.ERROR, title) for id_, title in entries}


def _warnings(*entries: tuple[str, str]) -> dict[str, Code]:
    return {id_: Code(id_, Severity.WARNING, title) for id_, title in entries}


CODES: dict[str, Code] = {
    # E00: files
    **_errors(
        ("E0001", "a file cannot be read"),
        ("E0002", "a file is not a text file"),
        ("E0003", "a file is too large"),
        ("E0004", "the content of a file cannot be understood"),
        ("E0005", "a file includes itself"),
        ("E0006", "a results file cannot be written"),
        ("E0007", "a results file is stale"),
        ("E0008", "an override is malformed"),
        ("E0009", "the formatter failed its own check"),
        ("E0010", "a table of measurements cannot be used"),
        ("E0011", "an optional library is missing"),
        ("E0012", "a result file cannot be loaded"),
        # E01: syntax
        ("E0101", "the text does not follow the grammar"),
        ("E0102", "a bracket is not closed"),
        ("E0103", "nesting is too deep"),
        # E02: names
        ("E0201", "an unknown kind of block"),
        ("E0202", "an unknown field"),
        ("E0203", "an unknown name"),
        ("E0204", "a name or field is given twice"),
        ("E0205", "a name refers to the wrong kind of thing"),
        ("E0206", "a definition refers to itself"),
        ("E0207", "a block has no name"),
        ("E0208", "an unknown module"),
        # E03: types and units
        ("E0301", "a value has the wrong type"),
        ("E0302", "a value has the wrong dimension"),
        ("E0303", "a number has no unit"),
        ("E0304", "an unknown unit"),
        ("E0305", "a number cannot be computed"),
        ("E0306", "an unknown choice"),
        # E04: rules
        ("E0401", "a required field is missing"),
        ("E0402", "a value is out of its range"),
        ("E0403", "a service-level objective has the wrong direction"),
        ("E0404", "the spec has no study to run"),
        ("E0405", "an assertion does not hold"),
        ("E0406", "values contradict each other"),
        ("E0407", "a context is longer than the model allows"),
        # E05: known to the language, not evaluated yet
        ("E0501", "the language knows this, this version cannot evaluate it"),
    ),
    **_warnings(
        ("W0001", "a number of thousands looks like a power of two"),
        ("W0002", "a file is empty"),
        ("W0003", "a let is not used"),
        ("W0004", "a used file is not used"),
        ("W0005", "git ignores the file"),
        ("W0006", "there are more problems than are shown"),
    ),
}
