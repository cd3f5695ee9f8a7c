"""What one limit of a study would have to be to make it feasible, if the others stayed."""

from attrs import frozen

from specc.records import Record
from specc.results import Miss, StudyResult


@frozen(eq=False, repr=False)
class Relaxation(Record):
    """A limit, what it would have to be, and for which layout and batch."""

    miss: Miss
    where: str
    batch: int


def relaxations(result: StudyResult) -> list[Relaxation]:
    """Return, for each limit, what needs least of it, the least change first.

    Where phases are apart, relaxing one of them helps only if the other has feasible instances.
    """
    found: dict[str, Relaxation] = {}

    def offer(miss: Miss, where: str, batch: int) -> None:
        held = found.get(miss.limit)
        if miss.excess > 0 and (held is None or miss.excess < held.miss.excess):
            found[miss.limit] = Relaxation(miss, where, batch)

    for configuration in result.configurations:
        if len(configuration.misses) == 1:
            where = f"{configuration.deployment}, {configuration.layout}"
            offer(configuration.misses[0], where, configuration.instances[-1].point.batch)
    feasible = {(c.deployment, c.phase) for c in result.candidates if c.feasible}
    phases = {(c.deployment, c.phase) for c in result.candidates}
    for c in result.candidates:
        others = {p for p in phases if p[0] == c.deployment and p[1] != c.phase}
        if not c.feasible and others <= feasible and (c.deployment, c.phase) not in feasible:
            for miss in c.relaxations:
                offer(miss, f"{c.deployment}, {c.instance.parallel}", c.point.batch)
    return sorted(found.values(), key=lambda relaxation: relaxation.miss.excess)
