"""Step tables: one forward step of a serving engine, however mixed, is a row of sums."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from attrs import field, fields, frozen
from numpy.typing import ArrayLike, NDArray

Column = NDArray[np.floating[Any]]


def _as_column(values: ArrayLike) -> Column:
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and values.ndim:
        return values
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


def _column() -> Any:
    return field(converter=_as_column)


@frozen(kw_only=True, eq=False)
class Sequences:
    """Sums over the sequences of one phase in a step, each of shape (N,).

    Attributes:
        requests: sequences.
        tokens: new (query) tokens Σ q.
        pairs: query-key pairs Σ q·s, with s the full length that a sequence attends to.
        causal_pairs: pairs that causality leaves, Σ q·s − q(q−1)/2.
        context: Σ s.
        blocks: KV-cache blocks Σ ⌈s / block⌉.
    """

    requests: Column = _column()
    tokens: Column = _column()
    pairs: Column = _column()
    causal_pairs: Column = _column()
    context: Column = _column()
    blocks: Column = _column()

    @classmethod
    def of(cls, requests: ArrayLike, new: ArrayLike, context: ArrayLike, block: int) -> "Sequences":
        """Sequences of equal length, `new` tokens each, attending to `context`; broadcasts."""
        n, q, s = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(a, np.float64)) for a in (requests, new, context))
        )
        return cls(
            requests=n,
            tokens=n * q,
            pairs=n * q * s,
            causal_pairs=n * (q * s - q * (q - 1) / 2),
            context=n * s,
            blocks=n * np.ceil(s / block),
        )

    @classmethod
    def summed(cls, shapes: Iterable[tuple[float, int, int]], block: int) -> "Sequences":
        """One row with several shapes: (requests, new tokens, context) of each."""
        sums = [0.0] * 6
        for n, q, s in shapes:
            causal = n * (q * s - q * (q - 1) / 2)
            row = (n, n * q, n * q * s, causal, n * s, n * -(-s // block))
            sums = [total + x for total, x in zip(sums, row, strict=True)]
        names = ("requests", "tokens", "pairs", "causal_pairs", "context", "blocks")
        return cls(**{name: np.array([x]) for name, x in zip(names, sums, strict=True)})

    @classmethod
    def none(cls, rows: int) -> "Sequences":
        """No sequences in any of the rows."""
        none = np.zeros(rows)
        return cls(**{f.name: none for f in fields(cls)})

    @property
    def mean_new(self) -> Column:
        """New tokens of the mean sequence, 0 where there is none."""
        return self.tokens / np.maximum(self.requests, 1e-9)

    @property
    def mean_context(self) -> Column:
        """Context of the mean sequence, 0 where there is none."""
        return self.context / np.maximum(self.requests, 1e-9)

    def scaled(self, factor: ArrayLike) -> "Sequences":
        """Return a share of the same sequences."""
        return Sequences(**{f.name: getattr(self, f.name) * factor for f in fields(Sequences)})

    def plus(self, other: "Sequences") -> "Sequences":
        """Return these sequences and others, row by row."""
        return Sequences(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Sequences)}
        )

    @classmethod
    def joined(cls, parts: "Sequence[Sequences]") -> "Sequences":
        """Return the rows of several, one after the other."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )

    def at(self, index: NDArray[np.intp]) -> "Sequences":
        """Return the rows that an index picks, in its order."""
        return Sequences(**{f.name: getattr(self, f.name)[index] for f in fields(Sequences)})

    def rows(self, start: int, stop: int) -> "Sequences":
        """Return the rows [start, stop)."""
        return Sequences(**{f.name: getattr(self, f.name)[start:stop] for f in fields(Sequences)})


@frozen(kw_only=True, eq=False)
class StepTable:
    """One row per step on one replica; counts are per replica.

    `kv_blocks` are the blocks that the whole cache holds during the step, `kv_sequences` the
    sequences it holds (for states of constant size), `images` and `patches` what the vision
    encoder takes in, and `patch_pairs` Σ patches² over images.
    """

    prefill: Sequences
    decode: Sequences
    kv_blocks: Column = _column()
    kv_sequences: Column = _column()
    patches: Column = _column()
    patch_pairs: Column = _column()

    @classmethod
    def of(
        cls,
        prefill: Sequences | None = None,
        decode: Sequences | None = None,
        kv_blocks: ArrayLike | None = None,
        kv_sequences: ArrayLike | None = None,
        patches: ArrayLike = 0,
        patch_pairs: ArrayLike = 0,
    ) -> "StepTable":
        """Steps with sequences of either phase or both.

        The cache holds the blocks and sequences of the step itself unless they are given.
        """
        given = next(s for s in (prefill, decode) if s is not None)
        rows = len(given.requests)
        prefill, decode = prefill or Sequences.none(rows), decode or Sequences.none(rows)

        def column(values: ArrayLike) -> Column:
            given = np.asarray(values, np.float64)
            return given if given.shape == (rows,) else np.broadcast_to(given, (rows,))

        own_blocks = prefill.blocks + decode.blocks
        own_sequences = prefill.requests + decode.requests
        return cls(
            prefill=prefill,
            decode=decode,
            kv_blocks=column(own_blocks if kv_blocks is None else kv_blocks),
            kv_sequences=column(own_sequences if kv_sequences is None else kv_sequences),
            patches=column(patches),
            patch_pairs=column(patch_pairs),
        )

    @classmethod
    def prefilling(
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
        sequences = Sequences.of(requests, new, context, block)
        pool = np.ceil((sequences.context + sequences.requests) / block)
        return cls.of(prefill=sequences, kv_blocks=pool if kv_blocks is None else kv_blocks)

    @classmethod
    def decoding(
        cls, requests: ArrayLike, context: ArrayLike, block: int, new: ArrayLike = 1
    ) -> "StepTable":
        """Steps that decode `requests` sequences of `context` tokens, the new ones included."""
        sequences = Sequences.of(requests, new, context, block)
        pool = np.ceil((sequences.context + sequences.requests) / block)
        return cls.of(decode=sequences, kv_blocks=pool)

    @property
    def tokens(self) -> Column:
        """New tokens of both phases, shape (N,)."""
        return self.prefill.tokens + self.decode.tokens

    @property
    def prefilled(self) -> Column:
        """New tokens of prompts."""
        return self.prefill.tokens

    @property
    def decoded(self) -> Column:
        """New tokens of sequences that decode."""
        return self.decode.tokens

    @property
    def unpacked(self) -> Column:
        """Tokens whose latent keys and values are unpacked: whole prompts, new decoded ones."""
        return self.prefill.context + self.decode.tokens

    @property
    def sampled(self) -> Column:
        """Rows of the output projection: one a prefilled request, every decoded token."""
        return self.prefill.requests + self.decode.tokens

    @property
    def requests(self) -> Column:
        """Sequences of both phases."""
        return self.prefill.requests + self.decode.requests

    def __len__(self) -> int:
        return len(self.kv_blocks)

    @classmethod
    def joined(cls, tables: "Sequence[StepTable]") -> "StepTable":
        """Return the rows of several tables, one after the other."""
        columns: dict[str, Any] = {}
        for f in fields(cls):
            parts = [getattr(table, f.name) for table in tables]
            columns[f.name] = (
                Sequences.joined(parts)
                if isinstance(parts[0], Sequences)
                else np.concatenate(parts)
            )
        return cls(**columns)

    def at(self, index: NDArray[np.intp]) -> "StepTable":
        """Return the rows that an index picks, in its order."""
        return StepTable(**{f.name: _at(getattr(self, f.name), index) for f in fields(StepTable)})

    def rows(self, start: int, stop: int) -> "StepTable":
        """Return the rows [start, stop)."""
        return StepTable(
            **{f.name: _rows_of(getattr(self, f.name), start, stop) for f in fields(StepTable)}
        )


def _at(value: Any, index: NDArray[np.intp]) -> Any:
    return value.at(index) if isinstance(value, Sequences) else value[index]


def _rows_of(value: Any, start: int, stop: int) -> Any:
    return value.rows(start, stop) if isinstance(value, Sequences) else value[start:stop]
