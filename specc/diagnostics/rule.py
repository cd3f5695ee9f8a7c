"""A rule: one thing that can be wrong, with all that is said about it in one place."""

from attrs import frozen

from specc.diagnostics.severity import Severity, severity_of
from specc.records import Record


@frozen(eq=False, repr=False)
class Remedy(Record):
    """How the quick fix of a rule is offered.

    Attributes:
        title: what it does; `{text}` stands for the text that it writes.
        safe: whether `specc check --fix` may apply it unasked: the user cannot have meant anything
            else. A fix that is a guess is never applied unasked.
    """

    title: str
    safe: bool = False


@frozen(eq=False, repr=False)
class Rule(Record):
    """One thing that can be wrong, under a code that never changes its meaning.

    Attributes:
        code: E (error) or W (warning) and four digits.
        title: what is wrong, as a short phrase.
        text: what it means, why it is wrong, and what to do.
        wrong: a spec that gives this code and no other.
        right: the fixed spec, which gives nothing.
        session: a command that gives the code, where no text of a spec can.
        remedy: how its quick fix is offered, if it has one.
        replaced_by: the codes that took the place of a retired one.
    """

    code: str
    title: str
    text: str
    wrong: str = ""
    right: str = ""
    session: str = ""
    remedy: Remedy | None = None
    replaced_by: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """What the letter of its code says."""
        return severity_of(self.code)

    @property
    def is_retired(self) -> bool:
        """Whether no diagnostic has this code any more."""
        return bool(self.replaced_by)
