"""The diagnostic itself."""

from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from specc.diagnostics.fix import Fix, Help
from specc.diagnostics.severity import Severity, severity_of
from specc.diagnostics.span import Span
from specc.diagnostics.visible import message
from specc.records import Record

if TYPE_CHECKING:
    from specc.diagnostics.rule import Rule


@frozen(eq=False, repr=False)
class Label(Record):
    """A span of text with a short remark about it."""

    span: Span
    text: str = ""


@frozen(eq=False, repr=False)
class Diagnostic(Record):
    """One problem.

    Attributes:
        code: the code of a rule that is not retired.
        message: one plain sentence, without a full stop.
        labels: the first is where it happened; further ones are the other half of a conflict.
        why: why it is wrong, if the message does not say it.
        help: what to write instead.
        fixes: what an editor can offer, and `specc check --fix` may apply.
    """

    code: str = field()
    message: str
    labels: tuple[Label, ...] = ()
    why: str = ""
    help: str = ""
    fixes: tuple[Fix, ...] = ()

    @code.validator
    def _has_a_rule(self, _attribute: object, value: str) -> None:
        if _rule(value).is_retired:
            raise ValueError(f"diagnostic code {value} is retired")

    def __attrs_post_init__(self) -> None:
        if self.fixes and self.rule.remedy is None:
            raise ValueError(f"the rule {self.code} does not say how its fix is offered")

    @property
    def rule(self) -> "Rule":
        """The rule that is broken."""
        return _rule(self.code)

    @property
    def sentence(self) -> str:
        """What is wrong, why, and what to do, in a line: the text of an exception."""
        parts = (self.message, self.why, self.help)
        return "; ".join(message(part) for part in parts if part)

    @property
    def shown(self) -> "Diagnostic":
        """The same, with what its texts repeat of an input fit to be shown."""
        return evolve(
            self,
            message=message(self.message),
            labels=tuple(evolve(label, text=message(label.text)) for label in self.labels),
            why=message(self.why),
            help=message(self.help),
        )

    @property
    def severity(self) -> Severity:
        """The severity that the code stands for."""
        return severity_of(self.code)

    @property
    def is_error(self) -> bool:
        """Whether it stops the compilation."""
        return self.severity is Severity.ERROR

    @property
    def span(self) -> Span | None:
        """Where it happened; None for a problem of the command line or of a whole file."""
        return self.labels[0].span if self.labels else None

    def title_of(self, fix: Fix) -> str:
        """Say what a fix of it does."""
        remedy = self.rule.remedy
        return remedy.title.format(text=fix.text) if remedy else ""

    def is_safe(self, fix: Fix) -> bool:
        """Tell whether a fix of it may be applied unasked."""
        remedy = self.rule.remedy
        return remedy is not None and remedy.safe and not fix.is_guess

    @classmethod
    def at(
        cls,
        span: Span,
        code: str,
        message: str,
        *,
        label: str = "",
        why: str = "",
        help: str | Help = "",
        second: Label | None = None,
    ) -> "Diagnostic":
        """Build a diagnostic at a span, with the other half of a conflict if there is one."""
        given = Help(help) if isinstance(help, str) else help
        labels = (Label(span, label), *((second,) if second else ()))
        fixes = (given.fix,) if given.fix else ()
        return cls(code, message, labels, why, given.text, fixes)


def _rule(code: str) -> "Rule":
    # A spec without problems needs no rules: reading their pages would slow down every check.
    from specc.diagnostics.rules import RULES

    return RULES[code]
