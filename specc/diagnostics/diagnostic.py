"""The diagnostic itself."""

from attrs import field, frozen

from specc.diagnostics.codes import CODES, Severity
from specc.diagnostics.span import Span


@frozen
class Label:
    """A span of text with a short remark about it."""

    span: Span
    text: str = ""


@frozen
class Diagnostic:
    """One problem.

    Attributes:
        code: a key of `CODES`.
        message: one plain sentence, without a full stop.
        labels: the first is where it happened; further ones are the other half of a conflict.
        why: why it is wrong, if the message does not say it.
        help: what to write instead.
    """

    code: str = field()
    message: str
    labels: tuple[Label, ...] = ()
    why: str = ""
    help: str = ""

    @code.validator
    def _registered(self, _attribute: object, value: str) -> None:
        if value not in CODES:
            raise KeyError(f"diagnostic code {value} is not registered")

    @property
    def severity(self) -> Severity:
        """The severity that the code registers."""
        return CODES[self.code].severity

    @property
    def is_error(self) -> bool:
        """Whether it stops the compilation."""
        return self.severity is Severity.ERROR

    @property
    def span(self) -> Span | None:
        """Where it happened; None for a problem of the command line or of a whole file."""
        return self.labels[0].span if self.labels else None

    @classmethod
    def at(
        cls, span: Span, code: str, message: str, *, label: str = "", why: str = "", help: str = ""
    ) -> "Diagnostic":
        """Build a diagnostic with one label."""
        return cls(code, message, (Label(span, label),), why, help)
