"""Step tables: one forward step of a serving engine, however mixed, is a row of sums."""

from typing import Any

import numpy as np
from attrs import field, fields, frozen
from numpy.typing import ArrayLike, NDArray

Column = NDArray[np.float64]


def _column() -> Any:
    return field(converter=lambda values: np.atleast_1d(np.asarray(values, dtype=np.float64)))


@frozen(kw_only=True, eq=False)
class StepTable:
    """Columns of equal length N, one row per step on one replica; counts are per replica.

    For each phase: sequences, new (query) tokens, query-key pairs Σ q·s with s the full length
    that each sequence attends to, context tokens Σ s, and KV-cache blocks Σ ⌈s / block⌉.
    `kv_blocks` are the blocks that the whole cache holds during the step.
    """

    prefill_requests: Column = _column()
    prefill_tokens: Column = _column()
    prefill_pairs: Column = _column()
    prefill_context: Column = _column()
    prefill_blocks: Column = _column()
    decode_requests: Column = _column()
    decode_tokens: Column = _column()
    decode_pairs: Column = _column()
    decode_context: Column = _column()
    decode_blocks: Column = _column()
    kv_blocks: Column = _column()

    @classmethod
    def prefill(
        cls,
        requests: ArrayLike,
        new: ArrayLike,
        context: ArrayLike,
        block: int,
        kv_blocks: ArrayLike | None = None,
    ) -> "StepTable":
        """Steps that prefill `requests` sequences: `new` tokens each, attending to `context`.

        The arguments broadcast. `kv_blocks` defaults to what these sequences need themselves,
        with room for one more token each, as the reference planner counts.
        """
        return cls._of_phase("prefill", requests, new, context, block, kv_blocks)

    @classmethod
    def decode(
        cls, requests: ArrayLike, context: ArrayLike, block: int, new: ArrayLike = 1
    ) -> "StepTable":
        """Steps that decode `requests` sequences of `context` tokens, the new ones included."""
        return cls._of_phase("decode", requests, new, context, block, None)

    @classmethod
    def _of_phase(
        cls,
        phase: str,
        requests: ArrayLike,
        new: ArrayLike,
        context: ArrayLike,
        block: int,
        kv_blocks: ArrayLike | None,
    ) -> "StepTable":
        n, q, s = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(a, np.float64)) for a in (requests, new, context))
        )
        pool = np.ceil((s + 1) * n / block) if kv_blocks is None else kv_blocks
        zero = np.zeros_like(n)
        other = "decode" if phase == "prefill" else "prefill"
        columns = {
            "requests": n,
            "tokens": n * q,
            "pairs": n * q * s,
            "context": n * s,
            "blocks": n * np.ceil(s / block),
        }
        return cls(
            **{f"{phase}_{name}": values for name, values in columns.items()},
            **{f"{other}_{name}": zero for name in columns},
            kv_blocks=np.broadcast_to(pool, n.shape),
        )

    @property
    def tokens(self) -> Column:
        """New tokens of both phases, shape (N,)."""
        return self.prefill_tokens + self.decode_tokens

    @property
    def sampled(self) -> Column:
        """Rows of the output projection: one a prefilled request, every decoded token."""
        return self.prefill_requests + self.decode_tokens

    def __len__(self) -> int:
        return len(self.prefill_tokens)

    def rows(self, start: int, stop: int) -> "StepTable":
        """Return the rows [start, stop)."""
        return StepTable(**{f.name: getattr(self, f.name)[start:stop] for f in fields(StepTable)})
