"""Evaluating many tasks: in this process, or in one for each core where that pays."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from specc.plan import Task
from specc.run.evaluate import Evaluated, evaluate

# Fewer tasks than this take less time than the start of processes.
WORTH_PROCESSES = 300
CHUNK = 16


def evaluated(tasks: Sequence[Task], progress: Callable[[], None]) -> dict[str, Evaluated]:
    """Evaluate each task once; returns what was found by the key of the task.

    The results do not depend on the number of processes. `progress` is called after each task.
    """
    unique = {task.key: task for task in tasks}
    groups: dict[tuple[object, ...], list[Task]] = {}
    for task in unique.values():
        groups.setdefault(task.cost_key, []).append(task)
    found = {}
    for results in _results(list(groups.values())):
        for result in results:
            found[result.task.key] = result
            progress()
    for _ in range(len(tasks) - len(unique)):
        progress()
    return found


def _results(groups: list[list[Task]]) -> Iterator[list[Evaluated]]:
    processes = min(usable_cores(), sum(map(len, groups)) // (WORTH_PROCESSES // 2))
    if processes < 2:
        yield from map(evaluate, groups)
        return
    # Started anew, not forked: the display of progress runs in a thread of its own.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context)
    try:
        yield from pool.map(evaluate, groups, chunksize=CHUNK)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
