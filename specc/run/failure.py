"""What stops a run that was right when it began."""

from specc.diagnostics import Diagnostic


class RunError(Exception):
    """A run that cannot go on; carries what to tell the user."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.sentence)
        self.diagnostic = diagnostic
