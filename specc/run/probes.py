"""Simulations of a subject as jobs: each runs here, in a worker, or is in the store."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from attrs import frozen

from specc.run.events import SIMULATED, Events
from specc.run.keys import key_of_simulation
from specc.run.runner import Job
from specc.run.subjects import Simulator, Subject
from specc.simulation.cluster import AT_ONCE

KEPT = 4  # subjects whose costs a worker keeps tabulated


@frozen(eq=False)
class Handed:
    """A subject on its way to a worker; two of the same key are the same there."""

    key: str
    subject: Subject

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handed) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


def simulation(
    simulator: Simulator,
    form: Any,
    runs: int,
    function: Callable[..., Any],
    *arguments: Any,
) -> Job:
    """Return a function of a simulator as a job.

    Args:
        simulator: of the subject.
        form: the class of what is found.
        runs: simulations of all requests that it takes, about.
        function: of a module, of the simulator and of data.
        arguments: the data.
    """
    key = simulator.subject.key
    requests = simulator.source.count
    return Job(
        function=_simulated,
        arguments=(Handed(key, simulator.subject), function, arguments),
        name=f"'{simulator.subject.study.name}' ({simulator.subject.name})",
        here=partial(function, simulator, *arguments),
        key=key_of_simulation(key, function.__qualname__, arguments),
        form=form,
        work=SIMULATED * runs * -(-requests // AT_ONCE),
    )


def _simulated(handed: Handed, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(_simulator(handed), *arguments)


@lru_cache(KEPT)
def _simulator(handed: Handed) -> Simulator:
    return Simulator(handed.subject, Events())
