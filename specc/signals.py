"""What a signal from outside does to a run: it ends at once, and leaves nothing behind.

The handler does all of it where it stands and then leaves the process. Nothing is unwound, so no
lock, thread or `except` on the way can stop it or print a traceback. What a run has outside of its
own memory (child processes, files that are half written, a hidden cursor) is told to `undone` when
it is made. Only the program `specc` installs the handlers; a script that uses specc as a library
keeps its own.
"""

import os
import select
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

_Handler = Callable[[int, FrameType | None], None]

_PATIENCE_S = 0.2  # for a standard error that takes nothing

ENDINGS = {
    getattr(signal, name): (code, word)
    for name, code, word in (
        ("SIGHUP", 129, "hung up"),
        ("SIGINT", 130, "interrupted"),
        ("SIGTERM", 143, "terminated"),
    )
    if hasattr(signal, name)  # Windows has no SIGHUP
}


class _State:
    """What the handler looks at."""

    undo: dict[object, Callable[[], None]] = {}  # noqa: RUF012 - one of a process
    held = 0
    counting = threading.Lock()  # of `held`: workers are started in a thread of their own
    waiting: int | None = None
    raises = False


def install() -> None:
    """Let the signals that end a program end this one; what is ignored (nohup) stays so."""
    for number in ENDINGS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _handle)


def undone(key: object, undo: Callable[[], None]) -> None:
    """Remember what is to be done if the run ends by a signal, until `kept` is called."""
    _State.undo[key] = undo


def kept(key: object) -> None:
    """Forget what was to be undone."""
    _State.undo.pop(key, None)


class held:  # noqa: N801 - used as a function
    """Within it no signal ends the run; one that comes waits. Children begin with them blocked."""

    def __enter__(self) -> None:
        with _State.counting:
            _State.held += 1
        if hasattr(signal, "pthread_sigmask"):
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        with _State.counting:
            _State.held -= 1
        if _State.waiting is not None and not _State.held:
            number, _State.waiting = _State.waiting, None
            if threading.current_thread() is threading.main_thread():
                _handle(number, None)
            else:  # it is the main thread's to end
                os.kill(os.getpid(), number)


class raised:  # noqa: N801 - used as a function
    """Within it the first interrupt is a KeyboardInterrupt, for what can say how far it came."""

    def __enter__(self) -> None:
        _State.raises = True

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        _State.raises = False


def begin_as_child() -> None:
    """Set what a worker does: the parent tells it of interrupts, other signals end it at once."""
    for number in ENDINGS:
        ignored = number == signal.SIGINT
        signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


def end(number: int) -> None:
    """Undo what a run has outside of its memory, say why it ends, and leave the process."""
    for undo in reversed(list(_State.undo.values())):
        try:
            undo()
        except OSError:
            continue
    code, word = ENDINGS[number]
    try:
        # A terminal that was stopped, or a pipe that nobody reads, must not keep us.
        if os.name != "posix" or select.select([], [2], [], _PATIENCE_S)[1]:
            os.write(2, f"{word}\n".encode())
    except (OSError, ValueError):
        pass
    os._exit(code)


def _handle(number: int, _frame: FrameType | None) -> None:
    if _State.held:
        _State.waiting = number
    elif number == signal.SIGINT and _State.raises:
        _State.raises = False
        raise KeyboardInterrupt
    else:
        end(number)
