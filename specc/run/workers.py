"""Worker processes: each gets a chunk of work at a time, and is killed, never waited for.

A worker may die of something that is no fault of its work: the system kills it where memory is
short. Its chunk is given to another one, once. Workers share nothing with each other, so none can
wait for what another one left locked.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
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

    def give(self, place: int, chunk: object) -> None:
        """Hand it a chunk; one that is dead already is noticed by whoever waits for it."""
        self.place = place
        with contextlib.suppress(OSError):
            self.pipe.send(chunk)

    def answer(self) -> list[Any] | None:
        """Return what it made of its chunk, or None if it died; raise what its function raised."""
        try:
            found: list[Any] | Exception = self.pipe.recv()
        except (EOFError, OSError):
            return None
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
    workers = [_start(function) for _ in range(min(processes, len(chunks)))]
    try:
        while waiting or any(worker.place is not None for worker in workers):
            # One that died is not replaced while others live: they may have its memory.
            workers = workers or [_start(function)]
            for worker in workers:
                if worker.place is None and waiting:
                    worker.give(waiting[0], chunks[waiting[0]])
                    tried[waiting.popleft()] += 1
            ready = wait([worker.pipe for worker in workers])
            for worker in [worker for worker in workers if worker.pipe in ready]:
                place, worker.place = worker.place, None
                results = worker.answer()
                if results is None:
                    workers.remove(worker)
                    worker.kill()
                    if place is not None and tried[place] >= TRIES:
                        raise WorkerLostError(place, worker.process.exitcode)
                    if place is not None:
                        waiting.appendleft(place)
                elif place is not None:
                    yield place, results
    finally:
        for worker in workers:
            worker.kill()


def _start(function: Callable[[Work], Result]) -> _Worker:
    """Start a worker, anew and not forked: the display of progress runs in a thread of its own."""
    context = multiprocessing.get_context("spawn")
    if os.name == "posix":
        # It would end the blocking of signals if it were started within.
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()
    with signals.held():
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        process.start()
        assert process.pid is not None
        signals.undone(process, partial(_kill, process.pid))
    theirs.close()
    return _Worker(process, ours)


def _kill(pid: int) -> None:
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def _serve(pipe: "Connection[Any, Any]", function: Callable[[Any], Any]) -> None:
    """Work until the parent is gone: the life of a worker."""
    signals.begin_as_child()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            _answer(pipe, function, pipe.recv())
    os._exit(0)


def _answer(pipe: "Connection[Any, Any]", function: Callable[[Any], Any], chunk: Any) -> None:
    try:
        answer = ForkingPickler.dumps([function(part) for part in chunk])
    except Exception as error:
        answer = ForkingPickler.dumps(_portable(error))
    pipe.send_bytes(answer)


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
