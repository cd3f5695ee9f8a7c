"""What a command launches, in the words of the language."""

from collections.abc import Iterable

from attrs import Factory, define, field

from specc.diagnostics import ExplainedError
from specc.ir import Software


class ImportFailedError(ExplainedError):
    """A text that launches nothing that is known; carries what would help."""


@define(eq=False)
class Imported:
    """Instances that a command launches.

    Attributes:
        software: the engine.
        model: as the command names it; `served` as clients do.
        role: `whole`, `prefill` or `decode`.
        tp, pp, dp, dcp: sizes of the layout; None where the command leaves one out.
        ep: of a model with experts: over all ranks, or none; None where nothing is said.
        fields: of the deployment, by their paths, as text of the language.
        lost: what could not be carried over, and why.
        kept_out: flags that change nothing of a plan.
    """

    software: Software
    model: str = ""
    served: str = ""
    role: str = "whole"
    tp: int | None = None
    pp: int | None = None
    dp: int | None = None
    dcp: int | None = None
    ep: int | bool | None = None
    fields: dict[str, str] = Factory(dict)
    lost: list[str] = Factory(list)
    kept_out: list[str] = field(factory=list)

    @property
    def devices(self) -> int:
        """Devices of an instance."""
        return (self.tp or 1) * (self.pp or 1) * (self.dp or 1)

    @property
    def ranks(self) -> int:
        """Ranks of a pipeline stage, over which experts lie."""
        return (self.tp or 1) * (self.dp or 1)

    def lose(self, what: str, why: str) -> None:
        """Note what could not be carried over."""
        self.lost.append(f"{what}: {why}")


def joined(names: Iterable[str]) -> str:
    """Return names as a list that is read."""
    return ", ".join(names)
