"""Worker processes: each gets a chunk of work at a time, and is killed, never waited for.

A worker may die of something that is no fault of its work: the system kills it where memory is
short. Its chunk is given to another one, once. Workers share nothing with each other, so none can
wait for what another one left locked.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from types import ModuleType
from typing import Any, TypeVar

from attrs import define

from specc import signals

Work = TypeVar("Work")
Result = TypeVar("Result")

TRIES = 2  # for a chunk whose worker dies


class WorkerLostError(Exception):
    """Workers died of the same chunk, as often as it was tried; `place` says of which."""

    def __init__(self, place: int, exitcode: int | None) -> None:
        super().__init__(f"a worker process ended with {exitcode}")
        self.place = place
        self.exitcode = exitcode


@define(eq=False)
class _Worker:
    """A process, the pipe to it, and the place of the chunk it has."""

    process: BaseProcess
    pipe: "Connection[Any, Any]"
    place: int | None = None

    def give(self, place: int, order: object) -> None:
        """Hand it work; one that is dead already is noticed by whoever waits for it."""
        self.place = place
        with contextlib.suppress(OSError):
            self.pipe.send(order)

    def result(self) -> list[Any] | None:
        """Return what it made of its chunk, or None if it died; raise what its function raised."""
        try:
            found: list[Any] | Exception = ForkingPickler.loads(self.pipe.recv_bytes())
        except (EOFError, OSError):
            return None
        self.place = None
        if isinstance(found, Exception):
            raise found
        return found

    def kill(self) -> None:
        """End it, whatever it does."""
        signals.kept(self.process)
        self.pipe.close()
        self.process.kill()
        # A killed process that the system cannot end yet is the system's.
        self.process.join(1.0)


def worked(
    function: Callable[[Work], Result], chunks: Sequence[Sequence[Work]], processes: int
) -> Iterator[tuple[int, list[Result]]]:
    """Yield the place of each chunk and what `function` makes of its parts, as they are done.

    An exception of the function is raised here.

    Raises:
        WorkerLostError: workers died of the same chunk twice.
    """
    waiting = deque(range(len(chunks)))
    tried = [0] * len(chunks)
    workers: list[_Worker] = []
    try:
        _start(workers, min(processes, len(chunks)))
        while waiting or any(worker.place is not None for worker in workers):
            if not workers:
                # One that died is not replaced while others live: they may have its memory.
                _start(workers, 1)
            if not workers:
                here = waiting.popleft()
                yield here, [function(part) for part in chunks[here]]
                continue
            for worker in workers:
                if worker.place is None and waiting:
                    tried[waiting[0]] += 1
                    worker.give(waiting[0], (function, chunks[waiting.popleft()]))
            for worker in _with_news(workers):
                place, results = worker.place, worker.result()
                if results is not None and place is not None:
                    yield place, results
                    continue
                workers.remove(worker)
                worker.kill()
                if place is not None and tried[place] >= TRIES:
                    raise WorkerLostError(place, worker.process.exitcode)
                if place is not None:
                    waiting.appendleft(place)
    finally:
        for worker in workers:
            worker.kill()


def _with_news(workers: list[_Worker]) -> list[_Worker]:
    """Wait for workers that are done, or dead."""
    ready = wait([worker.pipe for worker in workers])
    return [worker for worker in workers if worker.pipe in ready]


def _start(workers: list[_Worker], count: int) -> None:
    """Add so many workers, or as many as the system starts.

    They are started anew, not forked: the display of progress runs in a thread of its own.
    """
    context = multiprocessing.get_context("spawn")
    if os.name == "posix":
        # It would end the blocking of signals if it were started within.
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with signals.held(), _without_main(), theirs:
            try:
                process.start()
            except OSError:
                ours.close()
                return
            assert process.pid is not None
            signals.undone(process, partial(_kill, process.pid))
            workers.append(_Worker(process, ours))


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep a child from importing the script that is run.

    It needs nothing of it, and a script that uses specc as a library may have no guard around what
    it does: each child would begin to do it again.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _kill(pid: int) -> None:
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def _serve(pipe: "Connection[Any, Any]") -> None:
    """Work until the parent is gone: the life of a worker."""
    signals.begin_as_child()
    # What is to be done comes by the pipe: to import it takes longer than a parent may be gone.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(_done(pipe.recv_bytes()))
    os._exit(0)


def _done(order: bytes) -> "memoryview[int]":
    try:
        function, chunk = ForkingPickler.loads(order)
        return ForkingPickler.dumps([function(part) for part in chunk])
    except Exception as error:
        return ForkingPickler.dumps(_portable(error))


def _portable(error: Exception) -> Exception:
    """Return an exception that can be sent, with the place where it was raised."""
    import traceback

    error.add_note("in a worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        plain.__notes__ = error.__notes__
        return plain
    return error


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, also while it works."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
