"""As vLLM: blocks are taken when they are needed, and what runs out of them is preempted."""

from specc.ir import Admission
from specc.simulation.policies.admissions.base import AdmissionPolicy
from specc.units import Tokens


class FirstChunk(AdmissionPolicy):
    """A request starts when the blocks of its first chunk are free."""

    name = Admission.FIRST_CHUNK

    def tokens(self, chunk: Tokens, known: Tokens) -> Tokens:
        """Ask for the first chunk."""
        return chunk
