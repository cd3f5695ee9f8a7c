"""What a run tells whoever watches it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specc.results import Simulated
    from specc.simulation.metrics import Outcome

# How long the simulation of some requests takes, beside the evaluation of a candidate.
SIMULATED = 50.0


class Events:
    """Told what happens during a run; does nothing. A watcher overrides what it wants to know.

    Attributes:
        sees_steps: whether it wants the steps of simulations, which do not come from workers.
    """

    sees_steps = False

    def advanced(self, work: float = 1.0) -> None:
        """A piece of work is done: a candidate is evaluated, or as much as so many of them."""

    def skipped(self, work: float) -> None:
        """A piece of work is not done: what it finds is known."""
        self.advanced(work)

    def simulated(self, found: "Simulated", outcome: "Outcome") -> None:
        """A subject was simulated at the rate of the spec; every step of it is in `outcome`."""
