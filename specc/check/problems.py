"""The collector of problems, and the exception that leaves the value at hand."""

from attrs import Factory, define

from specc.diagnostics import Diagnostic, Help, Label, Span

MOST_PROBLEMS = 200


class ProblemError(Exception):
    """A value that cannot be had; carries its diagnostic. Caught at the field it belongs to."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class AlreadyReportedError(Exception):
    """A value that depends on something whose problem has been reported."""


def problem(
    span: Span,
    code: str,
    message: str,
    *,
    label: str = "",
    why: str = "",
    help: str | Help = "",
    second: Label | None = None,
) -> ProblemError:
    """Build the exception for a problem at a span, with the other half of a conflict."""
    found = Diagnostic.at(span, code, message, label=label, why=why, help=help, second=second)
    return ProblemError(found)


def planned(span: Span, what: str) -> ProblemError:
    """Build the exception for something the language knows and this version cannot evaluate."""
    return problem(
        span,
        "E0501",
        f"{what} cannot be evaluated by this version",
        why="nothing in a spec is ignored silently",
        help="remove it, or make it a comment",
    )


@define(eq=False, repr=False)
class Problems:
    """Collects diagnostics in the order they were found, each once, up to `MOST_PROBLEMS`.

    `errors` counts all that were added, those that were known and those beyond the most included:
    what is built twice has its errors both times.
    """

    found: list[Diagnostic] = Factory(list)
    errors: int = 0
    _seen: set[tuple[object, ...]] = Factory(set)

    @property
    def is_full(self) -> bool:
        """Whether further problems would not be kept."""
        return len(self.found) > MOST_PROBLEMS

    def add(self, diagnostic: Diagnostic) -> None:
        """Record a diagnostic unless it is known already."""
        self.errors += diagnostic.is_error
        key = (diagnostic.code, diagnostic.message, diagnostic.labels)
        if key in self._seen or self.is_full:
            return
        self._seen.add(key)
        if len(self.found) == MOST_PROBLEMS:
            diagnostic = Diagnostic(
                "W0006",
                f"only the first {MOST_PROBLEMS} problems are shown",
                help="fix these first",
            )
        self.found.append(diagnostic)

    def report(self, error: ProblemError) -> None:
        """Record the diagnostic that an exception carries."""
        self.add(error.diagnostic)
