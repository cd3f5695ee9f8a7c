"""Evaluating many tasks: in this process, or on an executor where that pays."""

from collections.abc import Iterator, Sequence

from specc.plan import Task
from specc.results import Candidate
from specc.results.curves import CurveRows
from specc.run.estimate import seconds_of
from specc.run.evaluate import Evaluated, Tradeoff, evaluate
from specc.run.runner import Job, Runner
from specc.serving.transfer import CacheSize
from specc.units import Seconds

# What takes fewer seconds than this in one process takes no fewer in several: each of them starts
# anew, and layouts in different ones do not share the operators that they have in common.
WORTH_PROCESSES: Seconds = 2.0
CHUNKS = 8  # of the tasks of a worker

Outcome = tuple[Candidate, CacheSize, float, Tradeoff | None, CurveRows]


def evaluated(tasks: Sequence[Task], runner: Runner) -> dict[str, Evaluated]:
    """Evaluate each task once; returns what was found by the key of the task.

    The results depend neither on the executor nor on which of them was done first or tried again.

    Raises:
        EvaluationError: the system ended a process that evaluates, twice with the same tasks.
    """
    unique = {task.key: task for task in tasks}
    groups: dict[tuple[object, ...], list[Task]] = {}
    for task in unique.values():
        groups.setdefault(task.cost_key, []).append(task)
    found = {}
    for result in _results([task for group in groups.values() for task in group], runner):
        found[result.task.key] = result
    if len(tasks) > len(unique):
        runner.events.advanced(len(tasks) - len(unique))
    return {key: found[key] for key in unique}


def _results(tasks: Sequence[Task], runner: Runner) -> Iterator[Evaluated]:
    parts = min(runner.workers, len(tasks))
    if not runner.is_parallel or parts < 2 or seconds_of(tasks) < WORTH_PROCESSES:
        for found in evaluate(tasks):
            runner.events.advanced()
            yield found
        return
    size = -(-len(tasks) // (parts * CHUNKS))
    chunks = [tasks[first : first + size] for first in range(0, len(tasks), size)]
    jobs = [Job(outcomes, (chunk,), named(chunk), work=len(chunk)) for chunk in chunks]
    for place, results in runner.each(jobs):
        for task, outcome in zip(chunks[place], results, strict=True):
            yield Evaluated(task, *outcome)


def outcomes(tasks: Sequence[Task]) -> list[Outcome]:
    """Return what was found for tasks, without the tasks: the other process has them."""
    found = evaluate(tasks)
    return [(e.candidate, e.cache, e.mean_steps, e.decoding, e.curve) for e in found]


def named(tasks: Sequence[Task]) -> str:
    """Name tasks by their deployments, for messages."""
    return ", ".join(dict.fromkeys(f"'{task.deployment.name}'" for task in tasks))
