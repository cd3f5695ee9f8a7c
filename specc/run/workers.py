"""Worker processes: each gets a piece of work at a time, and is killed, never waited for.

A worker may die of something that is no fault of its work: the system kills it where memory is
short. Its work is given to another one, once. Workers share nothing with each other, so none can
wait for what another one left locked.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from attrs import define

from specc import signals

Asked = ParamSpec("Asked")
Result = TypeVar("Result")

TRIES = 2  # for work whose worker dies


class WorkerLostError(Exception):
    """Workers died of the same work, as often as it was tried; `exitcode` is that of the last."""

    def __init__(self, exitcode: int | None) -> None:
        super().__init__(exitcode)
        self.exitcode = exitcode


@define(eq=False)
class _Order:
    """Work that was handed in, and how often it was given to a worker."""

    future: "Future[Any]"
    call: "partial[Any]"
    tried: int = 0


@define(eq=False)
class _Worker:
    """A process, the pipe to it, and the work it has."""

    process: BaseProcess
    pipe: "Connection[Any, Any]"
    order: _Order | None = None

    def give(self, order: _Order) -> None:
        """Hand it work; one that is dead already is noticed by whoever waits for it."""
        try:
            text = ForkingPickler.dumps(order.call)
        except Exception as error:  # the work cannot be sent: that is its own fault
            order.future.set_exception(error)
            return
        self.order = order
        order.tried += 1
        with contextlib.suppress(OSError):
            self.pipe.send_bytes(text)

    def received(self) -> bool:
        """Take what it made of its work; say whether it lives."""
        try:
            found = ForkingPickler.loads(self.pipe.recv_bytes())
        except (EOFError, OSError):
            return False
        order, self.order = self.order, None
        assert order is not None
        if isinstance(found, _Raised):
            order.future.set_exception(found.error)
        else:
            order.future.set_result(found)
        return True

    def kill(self) -> None:
        """End it, whatever it does."""
        signals.kept(self.process)
        self.pipe.close()
        self.process.kill()
        # A killed process that the system cannot end yet is the system's.
        self.process.join(1.0)


class Processes(Executor):
    """An executor of so many worker processes, each of which starts with the first work for it.

    An exception of a function is that of its future. A future has a `WorkerLostError` where
    workers died of its work twice. Where the system starts no process, work is done in this one.
    """

    def __init__(self, processes: int) -> None:
        self.most = processes
        self._waiting: deque[_Order] = deque()
        self._workers: list[_Worker] = []
        self._news, self._bell = multiprocessing.Pipe(duplex=False)
        self._lock = threading.Lock()
        self._closing = self._dropping = False
        self._manager: threading.Thread | None = None

    def submit(
        self, fn: Callable[Asked, Result], /, *args: Asked.args, **kwargs: Asked.kwargs
    ) -> "Future[Result]":
        """Hand in work, and return its future."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closing:
                raise RuntimeError("the executor was shut down")
            self._waiting.append(_Order(future, partial(fn, *args, **kwargs)))
            if self._manager is None:
                self._manager = threading.Thread(target=self._manage, daemon=True)
                self._manager.start()
        self._bell.send(None)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers: when all work is done, or at once where what waits is cancelled."""
        with self._lock:
            self._closing, self._dropping = True, self._dropping or cancel_futures
        if self._manager is None:
            return
        with contextlib.suppress(OSError):
            self._bell.send(None)
        if wait:
            self._manager.join()

    def _manage(self) -> None:
        """Hand out work until there is none, and nobody will hand in more."""
        try:
            while not self._is_done():
                self._hand_out()
                ready = wait([self._news, *(worker.pipe for worker in self._workers)])
                if self._news in ready:
                    self._news.recv()
                for worker in [w for w in self._workers if w.pipe in ready]:
                    if not worker.received():
                        self._bury(worker)
        finally:
            for worker in self._workers:
                worker.kill()
                if worker.order is not None:
                    worker.order.future.set_exception(WorkerLostError(None))
            for order in self._waiting:
                order.future.cancel()

    def _is_done(self) -> bool:
        with self._lock:
            busy = bool(self._waiting) or any(w.order is not None for w in self._workers)
            return self._closing and (self._dropping or not busy)

    def _hand_out(self) -> None:
        """Give work to all that have none; start workers as long as there is work for them."""
        while self._waiting:
            idle = next((worker for worker in self._workers if worker.order is None), None)
            if idle is None and len(self._workers) < self.most:
                idle = _started()
                if idle is None:
                    self.most = len(self._workers)  # more than that the system does not start
                else:
                    self._workers.append(idle)
            if idle is None and self._workers:
                return
            with self._lock:
                order = self._waiting.popleft()
            if not order.future.running() and not order.future.set_running_or_notify_cancel():
                continue
            if idle is None:
                _do_here(order)
            else:
                idle.give(order)

    def _bury(self, worker: _Worker) -> None:
        """Remove a worker that died; its work is tried again, once."""
        self._workers.remove(worker)
        worker.kill()
        # It is not replaced while others live: they may have its memory.
        self.most = max(1, self.most - 1)
        order = worker.order
        if order is None:
            return
        if order.tried >= TRIES:
            order.future.set_exception(WorkerLostError(worker.process.exitcode))
            return
        with self._lock:
            self._waiting.appendleft(order)


def _do_here(order: _Order) -> None:
    try:
        order.future.set_result(order.call())
    except Exception as error:
        order.future.set_exception(error)


def _started() -> _Worker | None:
    """Return a new worker, or None if the system starts none.

    It is started anew, not forked: other threads run here, the display of progress among them.
    """
    context = multiprocessing.get_context("spawn")
    if os.name == "posix":
        # It would end the blocking of signals if it were started within.
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    with signals.held(), without_main(), theirs:
        try:
            process.start()
        except OSError:
            ours.close()
            return None
        assert process.pid is not None
        signals.undone(process, partial(_kill, process.pid))
    return _Worker(process, ours)


@contextlib.contextmanager
def without_main() -> Iterator[None]:
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
        return ForkingPickler.dumps(ForkingPickler.loads(order)())
    except Exception as error:
        return ForkingPickler.dumps(_Raised(_portable(error)))


@define(eq=False)
class _Raised:
    """An exception of a function, which is no result of it."""

    error: Exception


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
