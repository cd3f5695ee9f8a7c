"""Puts an interrupt off until a short piece of work is whole."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Put signals that end a program off until the block is left, where they come through.

    Yields:
        Tells whether one is waiting.
    """
    waiting: list[int] = []
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():  # others get no signals
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if handler not in (None, signal.SIG_IGN):
                    before[number] = handler
                    signal.signal(number, lambda found, _frame: waiting.append(found))
        yield lambda: bool(waiting)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in waiting[:1]:
            signal.raise_signal(number)
