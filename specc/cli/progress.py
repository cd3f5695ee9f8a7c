"""A progress bar on a terminal, for work that takes longer than a second."""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from specc import signals
from specc.run.events import Events

PATIENCE_S = 1.0


@contextmanager
def progress(total: int, text: str = "evaluating candidates") -> Iterator[Events]:
    """Yield what is to be told of each of `total` pieces of work."""
    if not sys.stderr.isatty():
        yield Events()
        return
    bar = _LateBar(total, text)
    try:
        yield bar
    finally:
        bar.close()


class _LateBar(Events):
    """Appears only when the work takes long; rich is imported only then."""

    def __init__(self, total: int, text: str) -> None:
        self.total = total
        self.text = text
        self.done = 0
        self.started = time.monotonic()
        self.bar: object | None = None

    def advanced(self) -> None:
        self.done += 1
        if self.bar is None and time.monotonic() - self.started < PATIENCE_S:
            return
        from rich.console import Console
        from rich.progress import Progress

        if self.bar is None:
            self.bar = Progress(console=Console(stderr=True), transient=True)
            signals.undone(self, _show_cursor)
            self.bar.start()
            self.task = self.bar.add_task(self.text, total=self.total)
        assert isinstance(self.bar, Progress)
        self.bar.update(self.task, completed=min(self.done, self.total))

    def close(self) -> None:
        from rich.progress import Progress

        if isinstance(self.bar, Progress):
            self.bar.stop()
            signals.kept(self)


def _show_cursor() -> None:
    """Remove a bar in the middle of its work; its own way takes locks that somebody may hold."""
    if os.name != "posix" or select.select([], [2], [], 0)[1]:
        os.write(2, b"\r\x1b[2K\x1b[?25h")
