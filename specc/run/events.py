"""What a run tells whoever watches it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specc.results import Simulated
    from specc.simulation.metrics import Outcome


class Events:
    """Told what happens during a run; does nothing. A watcher overrides what it wants to know."""

    def advanced(self) -> None:
        """A piece of work is done: a candidate evaluated, or some requests simulated."""

    def simulated(self, found: "Simulated", outcome: "Outcome") -> None:
        """A subject was simulated at the rate of the spec; every step of it is in `outcome`."""
