"""As vLLM from 0.19 on: a request that would be preempted before its first token does not start."""

from specc.ir import Admission
from specc.simulation.policies.admissions.base import AdmissionPolicy
from specc.units import Tokens


class WholePrompt(AdmissionPolicy):
    """A request starts when the blocks of its whole prompt are free."""

    name = Admission.WHOLE_PROMPT

    def tokens(self, chunk: Tokens, known: Tokens) -> Tokens:
        """Ask for the whole prompt, and after a preemption for its output so far."""
        return known
