"""Evaluating many tasks: in this process, or in one for each core where that pays."""

import os
from collections.abc import Callable, Iterator, Sequence

from specc.diagnostics import Diagnostic
from specc.plan import Task
from specc.run.evaluate import Evaluated, evaluate
from specc.run.failure import EvaluationError

# Fewer tasks than this take less time than the start of processes.
WORTH_PROCESSES = 300
CHUNK = 16

_Group = list[Task]


def evaluated(tasks: Sequence[Task], progress: Callable[[], None]) -> dict[str, Evaluated]:
    """Evaluate each task once; returns what was found by the key of the task.

    The results depend neither on the number of processes nor on which of them was done first or
    tried again. `progress` is called after each task.

    Raises:
        EvaluationError: the system ended a process that evaluates, twice with the same tasks.
    """
    unique = {task.key: task for task in tasks}
    groups: dict[tuple[object, ...], _Group] = {}
    for task in unique.values():
        groups.setdefault(task.cost_key, []).append(task)
    found = {}
    for results in _results(list(groups.values())):
        for result in results:
            found[result.task.key] = result
            progress()
    for _ in range(len(tasks) - len(unique)):
        progress()
    return {key: found[key] for key in unique}


def _results(groups: list[_Group]) -> Iterator[list[Evaluated]]:
    processes = min(usable_cores(), sum(map(len, groups)) // (WORTH_PROCESSES // 2))
    if processes < 2:
        yield from map(evaluate, groups)
        return
    from specc.run.workers import WorkerLostError, worked

    chunks = [groups[first : first + CHUNK] for first in range(0, len(groups), CHUNK)]
    try:
        for _, results in worked(evaluate, chunks, processes):
            yield from results
    except WorkerLostError as error:
        raise EvaluationError(_lost(error.exitcode, chunks[error.place])) from None


def _lost(exitcode: int | None, groups: Sequence[_Group]) -> Diagnostic:
    """Say that the system ended workers, and at what they were."""
    names = dict.fromkeys(f"'{task.deployment.name}'" for group in groups for task in group)
    why = f"it ended by itself, with code {exitcode}"
    if exitcode is not None and exitcode < 0:
        why = f"by signal {-exitcode}; usually the machine is out of memory"
    return Diagnostic(
        "E0020",
        f"a worker process ended twice while it evaluated {', '.join(names)}",
        why=why,
        help="free memory, or make the search smaller: fewer layouts (parallel) or batch sizes "
        "(engine.decode_batch), or fewer values in a sweep",
    )


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
