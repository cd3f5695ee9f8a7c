"""Finding the conditions under which a configuration keeps its limits: instances, or clients."""

from collections.abc import Callable, Sequence
from math import ceil

from attrs import evolve, frozen

from specc.results import Metrics, meets
from specc.run.probes import simulation
from specc.run.runner import Runner
from specc.run.subjects import Conditions, Simulator
from specc.simulation.capacity import carried
from specc.simulation.metrics import Outcome

MOST_INSTANCES = 1_000  # of a phase
MOST_TIMES = 8  # as many instances as the closed form says, beyond which more of them do not help
MORE = 1.1  # the first step to more instances; each next one by its square
NEAR = 1.08  # the first step to other clients; each next one by its square
NARROW = 0.02  # of the clients, at which their search ends


@frozen(eq=False)
class Seen:
    """A simulation under some conditions, and whether the load is carried.

    Attributes:
        counts: instances of each part under them, and `clients` of a closed loop.
        doubted: what is seen where the cost model errs as far as the limits must hold, if they
            must beyond its median.
    """

    at: Conditions
    counts: tuple[int, ...]
    clients: int | None
    outcome: Outcome
    metrics: Metrics
    holds: bool
    doubted: Metrics | None = None

    @property
    def judged(self) -> Metrics:
        """By what objectives are judged."""
        return self.doubted or self.metrics


def seen_under(simulator: Simulator, at: Conditions) -> Seen:
    """Simulate under some conditions.

    A load of requests at times of their own is carried where all objectives are met and no queue
    grows; one of clients where all objectives are met.
    """
    outcome = simulator.outcome(at)
    metrics = simulator.judged(outcome, at)
    clients = simulator.clients(at)
    holds = meets(metrics) and (clients is not None or carried(metrics, 0.0))
    return Seen(at, at.counts or simulator.counts, clients, outcome, metrics, holds)


def nominal(simulator: Simulator, found: Seen) -> Seen:
    """Return what is seen if the cost model does not err, of what was found where it does."""
    if not found.at.deviations:
        return found
    seen = seen_under(simulator, evolve(found.at, deviations=0.0))
    return evolve(seen, holds=found.holds, doubted=found.metrics)


def erring(
    simulator: Simulator, seen: Seen, deviations: Sequence[float], runner: Runner
) -> tuple[Metrics, ...]:
    """Return what is seen if the cost model errs by so many deviations, at the same load."""
    each = [evolve(seen.at, deviations=z) for z in deviations]
    if not simulator.is_timeless(seen.at):
        return tuple(runner.all([simulation(simulator, Metrics, 1, metrics_at, at) for at in each]))
    slowed = [seen.outcome.slowed(simulator.slowness(z)) for z in deviations]
    return tuple(simulator.judged(o, at) for o, at in zip(slowed, each, strict=True))


def metrics_at(simulator: Simulator, at: Conditions) -> Metrics:
    """Return what a simulation under some conditions says: a job."""
    return simulator.metrics(at)


def excess(metrics: Metrics) -> float:
    """Return the largest value of an objective as a multiple of its limit."""
    known = [o.seen / o.limit for o in metrics.objectives if o.seen is not None]
    return max(known, default=0.0)


def most_clients(simulator: Simulator, places: int) -> Seen:
    """Return the most clients, up to the places, at which all objectives are met; one if none is.

    What exceeds a limit most rises with the clients. By how much at the places tells where to
    begin; from there it goes by growing steps to where the limits are met, or are not, then halves.
    """

    def probe(clients: int) -> Seen:
        return seen_under(simulator, Conditions(clients=clients, deviations=simulator.doubt))

    high = probe(places)
    if high.holds or places == 1 or high.metrics.rejected:  # what is rejected is so at any load
        return high
    few, many, step = 0, places, NEAR
    clients = max(1, min(places - 1, int(places / excess(high.metrics))))
    best: Seen | None = None
    while True:
        found = probe(clients)
        if found.holds:
            best, few = found, clients
        else:
            many = clients
        if many - few <= max(1, NARROW * many):
            return best or probe(1)
        if few and many < places:
            clients = (few + many) // 2
        else:
            # Only one side is known well: on by a step, the next one by its square.
            clients = int(clients * step) if few else int(clients / step)
            clients, step = min(max(clients, few + 1), many - 1), step * step


def fewest_instances(simulator: Simulator, at: Conditions) -> Seen:
    """Return the fewest instances of each phase that carry the load under some conditions.

    Begins with the counts of these, fewer of which do not carry it, or with those of the subject.
    Where not even many more carry it, says what these see.
    """

    def probe(counts: tuple[int, ...]) -> Seen:
        return seen_under(simulator, evolve(at, counts=counts))

    first = at.counts or simulator.counts
    found, step = probe(first), MORE
    # The most of each phase that were too few.
    failed = [0 if at.counts is None else count - 1 for count in first]
    while not found.holds and not found.metrics.rejected:
        counts = found.counts
        sides = blamed(found.metrics, len(first))
        for side in sides:
            failed[side] = counts[side]
        more = tuple(
            max(n + 1, ceil(n * step)) if side in sides else n for side, n in enumerate(counts)
        )
        if max(more) > MOST_INSTANCES or sum(more) > MOST_TIMES * sum(first) + MOST_TIMES:
            return found
        found, step = probe(more), min(step * step, 2.0)
    for side in range(len(first) if found.holds else 0):
        found = _fewest_of(side, failed[side], found, probe)
    return found


def _fewest_of(
    side: int, failed: int, found: Seen, probe: Callable[[tuple[int, ...]], Seen]
) -> Seen:
    """Return the fewest instances of a phase, those of the other as they are."""

    def with_count(count: int) -> Seen:
        return probe((*found.counts[:side], count, *found.counts[side + 1 :]))

    low, high, step = failed, found.counts[side], MORE
    while high - low > 1:
        # Down by growing steps until they are too few; then between the two.
        middle = (low + high) // 2 if low else max(1, min(high - 1, int(high / step)))
        seen = with_count(middle)
        if seen.holds:
            found, high, step = seen, middle, min(step * step, 2.0)
        else:
            low = middle
    return found


def blamed(metrics: Metrics, phases: int) -> tuple[int, ...]:
    """Return the phases that need more instances: 0 where prompts wait, 1 where tokens do."""
    if phases == 1:
        return (0,)
    missed = {o.metric for o in metrics.objectives if not o.met}
    sides = set()
    if missed & {"ttft", "queue"} or metrics.growing:
        sides.add(0)
    if missed & {"tpot", "itl"}:
        sides.add(1)
    return tuple(sorted(sides)) or (0, 1)
