"""As vLLM since 0.19, `scheduler_reserve_full_isl`: what starts has room for all of its prompt."""

from specc.ir import Admission
from specc.simulation.policies.admissions.base import AdmissionPolicy
from specc.units import Tokens


class WholePrompt(AdmissionPolicy):
    """A request starts when the blocks of its whole prompt are free; they are taken as needed."""

    name = Admission.WHOLE_PROMPT

    def tokens(self, chunk: Tokens, known: Tokens) -> Tokens:
        """Ask for all that it computes before its next token."""
        return known
