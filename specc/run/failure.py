"""What stops a run that was right when it began."""

from specc.diagnostics import Diagnostic


class RunError(Exception):
    """A run that its spec lets go on for ever; carries what to tell the user."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.sentence)
        self.diagnostic = diagnostic


class EvaluationError(Exception):
    """Tasks that cannot be evaluated for a reason outside of them; carries the diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.sentence)
        self.diagnostic = diagnostic
