"""Errors that say what would help, where the place of the input is not known."""

from specc.diagnostics.diagnostic import Diagnostic


class ExplainedError(ValueError):
    """What is wrong with an input, why, and what would help; the caller knows the code."""

    def __init__(self, message: str, help: str = "", why: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.why = why

    def diagnostic(self, code: str) -> Diagnostic:
        """Return it as a diagnostic of a code."""
        return Diagnostic(code, self.message, why=self.why, help=self.help)
