"""What stops a run that was right when it began."""

from specc.diagnostics import Diagnostic


class _StoppedError(Exception):
    """A run that cannot go on; carries what to tell the user."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.sentence)
        self.diagnostic = diagnostic


class RunError(_StoppedError):
    """A run that its spec lets go on for ever."""


class EvaluationError(_StoppedError):
    """Tasks that cannot be evaluated for a reason outside of them."""
