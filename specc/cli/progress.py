"""How far work is that takes longer than a second: a bar on a terminal, or lines for machines."""

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from specc import signals
from specc.run.events import Events

if TYPE_CHECKING:
    from specc.run.runner import Runner

PATIENCE_S = 1.0
PROGRESS = ("bar", "json", "none")


class Watcher(Events):
    """Tells nobody; `runner` is what works, if a command has one."""

    runner: "Runner | None" = None

    def finish(self) -> None:
        """All of the work is done."""

    def close(self) -> None:
        """The work is done, or ends."""


@contextmanager
def progress(
    total: float, text: str = "evaluating candidates", kind: str = "bar"
) -> Iterator[Watcher]:
    """Yield what is to be told of pieces of work, `total` in all."""
    watcher = Watcher()
    if kind == "json":
        watcher = _Lines(total, text)
    elif kind == "bar" and sys.stderr.isatty():
        watcher = _LateBar(total, text)
    try:
        yield watcher
        watcher.finish()
    finally:
        watcher.close()


class _Timed(Watcher):
    """Counts what is done of a total."""

    def __init__(self, total: float, text: str) -> None:
        self.total = total
        self.text = text
        self.done = self.known = 0.0
        self.started = time.monotonic()

    def finish(self) -> None:
        self.done = self.total

    def skipped(self, work: float) -> None:
        self.known += work
        self.advanced(work)

    @property
    def seconds(self) -> float:
        """How long it took until now."""
        return time.monotonic() - self.started


class _Lines(_Timed):
    """A line of JSON a second on standard error, and one at the end."""

    def __init__(self, total: float, text: str) -> None:
        super().__init__(total, text)
        self.told = 0.0

    def advanced(self, work: float = 1.0) -> None:
        self.done += work
        if self.seconds - self.told >= PATIENCE_S:
            self._tell()

    def close(self) -> None:
        self._tell()

    def _tell(self) -> None:
        self.told = self.seconds
        share = min(1.0, self.done / self.total) if self.total else 1.0
        made = self.done - self.known  # what was known took no time
        rest = max(0.0, self.total - self.done)
        left = round(self.told * rest / made, 1) if made > 0 else None if rest else 0.0
        line = {
            "what": self.text,
            "done": round(share, 4),
            "seconds": round(self.told, 1),
            "remaining_seconds": left,
            "reused": self.runner.reused if self.runner is not None else 0,
        }
        print(json.dumps(line), file=sys.stderr, flush=True)


class _LateBar(_Timed):
    """Appears only when the work takes long; rich is imported only then."""

    def __init__(self, total: float, text: str) -> None:
        super().__init__(total, text)
        self.bar: object | None = None

    def advanced(self, work: float = 1.0) -> None:
        self.done += work
        if self.bar is None and self.seconds < PATIENCE_S:
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
