"""What an admission decides."""

from abc import ABC, abstractmethod
from typing import ClassVar

from specc.ir import Admission
from specc.units import Tokens


class AdmissionPolicy(ABC):
    """When a request may start that the scheduler would take in.

    Attributes:
        name: its name in `ir`.
    """

    name: ClassVar[Admission]

    @abstractmethod
    def tokens(self, chunk: Tokens, known: Tokens) -> Tokens:
        """Return the tokens of a request whose blocks must be free before it starts.

        Those of its first chunk are the least, as they are taken at once.

        Args:
            chunk: tokens in the cache after its first chunk, those found there included.
            known: tokens that it computes before its next one: of its prompt, and after a
                preemption of its output so far.
        """
