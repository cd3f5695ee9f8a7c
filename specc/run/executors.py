"""Evaluating many tasks: in this process, or in one for each core where that pays."""

import os
from collections.abc import Callable, Iterator, Sequence

from specc.diagnostics import Diagnostic
from specc.plan import Task
from specc.results import Candidate
from specc.results.curves import CurveRows
from specc.run.estimate import seconds_of
from specc.run.evaluate import Evaluated, Tradeoff, evaluate
from specc.run.failure import EvaluationError
from specc.serving.transfer import CacheSize
from specc.units import Seconds

# What takes fewer seconds than this in one process takes no fewer in several: each of them starts
# anew, and layouts in different ones do not share the operators that they have in common.
WORTH_PROCESSES: Seconds = 2.0
CHUNKS = 8  # of the tasks of a process

Outcome = tuple[Candidate, CacheSize, float, Tradeoff | None, CurveRows]


def evaluated(tasks: Sequence[Task], progress: Callable[[], None]) -> dict[str, Evaluated]:
    """Evaluate each task once; returns what was found by the key of the task.

    The results depend neither on the number of processes nor on which of them was done first or
    tried again. `progress` is called after each task.

    Raises:
        EvaluationError: the system ended a process that evaluates, twice with the same tasks.
    """
    unique = {task.key: task for task in tasks}
    groups: dict[tuple[object, ...], list[Task]] = {}
    for task in unique.values():
        groups.setdefault(task.cost_key, []).append(task)
    found = {}
    for result in _results([task for group in groups.values() for task in group]):
        found[result.task.key] = result
        progress()
    for _ in range(len(tasks) - len(unique)):
        progress()
    return {key: found[key] for key in unique}


def _results(tasks: Sequence[Task]) -> Iterator[Evaluated]:
    processes = min(usable_cores(), len(tasks))
    if processes < 2 or seconds_of(tasks) < WORTH_PROCESSES:
        yield from evaluate(tasks)
        return
    from specc.run.workers import WorkerLostError, worked

    size = -(-len(tasks) // (processes * CHUNKS))
    chunks = [tasks[first : first + size] for first in range(0, len(tasks), size)]
    try:
        for place, results in worked(outcomes, [[chunk] for chunk in chunks], processes):
            for task, outcome in zip(chunks[place], results[0], strict=True):
                yield Evaluated(task, *outcome)
    except WorkerLostError as error:
        raise EvaluationError(_lost(error.exitcode, chunks[error.place])) from None


def outcomes(tasks: Sequence[Task]) -> list[Outcome]:
    """Return what was found for tasks, without the tasks: the other process has them."""
    found = evaluate(tasks)
    return [(e.candidate, e.cache, e.mean_steps, e.decoding, e.curve) for e in found]


def _lost(exitcode: int | None, tasks: Sequence[Task]) -> Diagnostic:
    """Say that the system ended workers, and at what they were."""
    names = dict.fromkeys(f"'{task.deployment.name}'" for task in tasks)
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
