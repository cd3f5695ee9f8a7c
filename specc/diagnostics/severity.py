"""How bad a problem is, which the letter of its code says."""

from enum import Enum


class Severity(Enum):
    """How bad it is: an error stops the compilation, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


def severity_of(code: str) -> Severity:
    """Return the severity that the letter of a code stands for."""
    return Severity.ERROR if code.startswith("E") else Severity.WARNING
