"""The memory that the log of a start says, beside specc's."""

from collections.abc import Iterator

from specc.loadtest.logs import StartLog
from specc.results.comparisons import LoggedMemory
from specc.run.memory import LayoutMemory, memory_of
from specc.run.subjects import Subject

_GIB = 2**30


def logged_memory(log: StartLog, subject: Subject | None) -> tuple[LoggedMemory, ...]:
    """Return the figures of a log beside those of the instances that were compared.

    Where phases are apart the log may be of either, so both stand there.
    """
    if subject is None or not subject.parts:
        return tuple(_rows(log, None, ""))
    rows = [(part.task.phase.value, memory_of(part.task)) for part in subject.parts]
    own = len(rows) > 1
    return tuple(one for phase, row in rows for one in _rows(log, row, f"{phase}: " if own else ""))


def _rows(log: StartLog, row: LayoutMemory | None, of: str) -> Iterator[LoggedMemory]:
    weights, activations, cache, tokens = (
        (None,) * 4
        if row is None
        else (row.weights, row.activations, row.kv_cache, row.cache_tokens)
    )
    figures: tuple[tuple[str, str, float | None, float | None, float], ...] = (
        ("weights", "GiB", log.weights, weights, _GIB),
        ("activations", "GiB", log.activations, activations, _GIB),
        ("KV cache", "GiB", log.kv_cache, cache, _GIB),
        ("KV cache of a replica", "tok", log.cache_tokens, tokens, 1),
        (
            f"requests of {log.context:,} tok at a time" if log.context else "",
            "",
            log.concurrency,
            tokens / log.context if tokens is not None and log.context else None,
            1,
        ),
    )
    for name, unit, logged, predicted, scale in figures:
        if logged is not None:
            yield LoggedMemory(
                name=f"{of}{name}",
                unit=unit,
                logged=logged / scale,
                predicted=None if predicted is None else predicted / scale,
            )
