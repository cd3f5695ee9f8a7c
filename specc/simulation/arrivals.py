"""Requests to simulate: when they come, how long they are, and what they share.

Everything random comes from one seed, in streams of their own for times, lengths and sessions. At
another rate the same requests come in the same order, only sooner, the gaps of sessions and the
times of a table of rates included: common random numbers, so that two rates differ by what the rate
does and not by chance.
"""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from specc.engines import hashed_tokens
from specc.ir import (
    LengthBin,
    LengthSampling,
    Process,
    RatePoint,
    RequestKind,
    Simulate,
    Trace,
    Workload,
    cached_tokens,
)
from specc.ir.simulation import LONGEST_SIMULATION
from specc.records import Record
from specc.simulation.costs import PICOSECONDS
from specc.simulation.requests import Integers, Requests, TooLongError
from specc.units import Tokens

_TIMES, _LENGTHS, _SESSIONS = range(3)
_HORIZON = 3  # times the length of a simulation: sessions under way that go on later are left out
_MARGIN, _SPARE = 2.0, 20  # sessions beyond what is needed on the mean
_SESSION_BITS = 24  # blocks of a session have numbers of their own below this power of two

Floats = NDArray[np.float64]
_UNPACED = (Process.BURST, Process.CONCURRENCY)  # what does not follow a clock
_UNTIMED: Integers = np.zeros(0, np.int64)  # set by the rate


@frozen(eq=False, repr=False, slots=False)
class RequestSource(Record):
    """What requests are made from.

    Attributes:
        image_tokens: tokens of images in every prompt, of each part of the workload; none if empty.
        block: tokens of the blocks in which sessions share prefixes.
        caches_outputs: whether a next turn finds what was decoded, as well as prompts.
        longest: tokens of prompt and output that an engine takes.
    """

    simulate: Simulate
    workload: Workload
    image_tokens: tuple[Tokens, ...] = ()
    block: Tokens = 128
    caches_outputs: bool = True
    longest: Tokens = 1 << 40
    # The requests of the latest seed, and their times in seconds: a search asks for many rates.
    _made: dict[int, tuple[Floats, Requests]] = field(
        factory=dict, init=False, eq=False, repr=False
    )

    @property
    def count(self) -> int:
        """Requests to simulate."""
        return self.simulate.count

    @property
    def rate(self) -> float | None:
        """Requests a second on average, before any scaling; None for a burst and for clients."""
        arrival = self.simulate.arrival
        if arrival.process in _UNPACED:
            return None
        if arrival.rate is not None:
            return arrival.rate
        last = float(self.requests().arrival[-1]) / PICOSECONDS
        return (self.count - 1) / last if last > 0 else None

    @property
    def longest_request(self) -> Tokens:
        """Tokens of prompt and output that no request exceeds."""
        trace, workload = self.simulate.arrival.trace, self.workload
        if trace is not None:
            longest = max(i + o for i, o in zip(trace.input, trace.output, strict=True))
            return longest + max(self.image_tokens, default=0)
        if self.simulate.sessions is not None:
            return self.longest
        # No range reaches its ends; one length is known exactly.
        ends = [row.input[1] + row.output[1] - 2 * (not p.requests) for p, row in workload.rows]
        return int((np.array(ends) + self._rows.images).max())

    @cached_property
    def _rows(self) -> "_Rows":
        """The bins of the workload."""
        return _Rows.of(self.workload, self.image_tokens, self.simulate.lengths)

    def requests(self, scale: float = 1.0, seed: int | None = None) -> Requests:
        """Return the requests at `scale` times the rate, in the order of their arrival.

        Raises:
            TooLongError: the last ones come later than whole picoseconds can tell.
        """
        simulate = self.simulate
        seed = simulate.seed if seed is None else seed
        if seed not in self._made:
            self._made.clear()
            self._made[seed] = self._requests(seed)
        times, requests = self._made[seed]
        speed = scale * simulate.speed if simulate.arrival.trace else scale
        return evolve(requests, arrival=_whole(times / speed), seed=seed)

    def _requests(self, seed: int) -> tuple[Floats, Requests]:
        """Return when requests come at the rate of the spec, and the requests."""
        simulate = self.simulate
        if simulate.arrival.trace is not None:
            return self._from_trace(simulate.arrival.trace)
        if simulate.sessions is not None:
            return self._from_sessions(seed)
        lengths, bins = self._lengths(self.count, seed)
        prompt, output = lengths[:, 0], lengths[:, 1]
        return self._times(self.count, seed), self._classed(
            Requests(
                arrival=_UNTIMED,
                input=prompt + self._rows.images[bins],
                cached=self._cached(prompt, bins),
                output=output,
                bin=bins,
            )
        )

    def _classed(self, requests: Requests) -> Requests:
        """Add the classes and priorities of requests, by their bins."""
        if not self.workload.classes:
            return requests
        category = self._rows.part[requests.bin]
        priority = np.array([one.priority for one in self.workload.classes])[category]
        return evolve(requests, category=category, priority=priority)

    def _times(self, count: int, seed: int, turns: float = 1.0) -> Floats:
        """Return rising times in seconds, `turns` times as far apart."""
        arrival, rates = self.simulate.arrival, self.simulate.rates
        if arrival.process in _UNPACED:
            return np.zeros(count)
        gaps = unit_gaps(arrival.process, arrival.cv, count, _stream(seed, _TIMES))
        passed = np.cumsum(gaps) * turns
        if rates:
            return at_rates(passed, rates)
        assert arrival.rate is not None
        return np.asarray(passed / arrival.rate)

    def _lengths(
        self, count: int, seed: int, category: Integers | None = None
    ) -> tuple[Integers, Integers]:
        """Return prompts and outputs, shape (N, 2), and the bin of each; of a class where given."""
        generator, rows = _stream(seed, _LENGTHS), self._rows
        if len(rows.share) == 1:
            bins = np.zeros(count, np.int64)
        elif category is None:
            bins = generator.choice(len(rows.share), size=count, p=rows.share)
        else:
            bins = rows.drawn(generator.random(count), category)
        low, high = rows.low[bins], rows.high[bins]
        if (rows.high - rows.low <= 1).all():
            return low, bins
        return np.maximum(generator.integers(low, high), 1), bins

    def _cached(self, prompt: Integers, bins: Integers) -> Integers:
        """Return the tokens of prompts that are cached at a flat hit rate."""
        shares = self._rows.hit[bins]
        if not shares.any():
            return np.zeros(len(prompt), np.int64)
        pairs = zip(prompt.tolist(), shares.tolist(), strict=True)
        return np.array([cached_tokens(tokens, hit) for tokens, hit in pairs], np.int64)

    def _from_trace(self, trace: Trace) -> tuple[Floats, Requests]:
        count = self.count
        prompt = np.asarray(trace.input, np.int64)[:count]
        output = np.asarray(trace.output, np.int64)[:count]
        bins = self._bins_of(prompt, output)
        return np.asarray(trace.arrival, np.float64)[:count], Requests(
            arrival=_UNTIMED,
            input=prompt + max(self.image_tokens, default=0),
            cached=np.zeros(count, np.int64) if trace.hashes else self._cached(prompt, bins),
            output=output,
            bin=bins,
            blocks=None if trace.hashes is None else self._in_blocks(trace.hashes[:count]),
            block_tokens=self._named_tokens if trace.hashes else 0,
        )

    @property
    def _named_tokens(self) -> Tokens:
        """Tokens of the blocks that have names: those of the trace, or several of them."""
        return hashed_tokens(self.simulate.block_tokens, self.block)

    def _in_blocks(self, hashes: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
        """Return the names of larger blocks: a name stands for all tokens up to its end."""
        several = self._named_tokens // self.simulate.block_tokens
        return hashes if several == 1 else [own[several - 1 :: several] for own in hashes]

    def _bins_of(self, prompt: Integers, output: Integers) -> Integers:
        """Return the first bin that each request lies in, the last one if it lies in none."""
        rows = self.workload.requests
        bins = np.full(len(prompt), max(0, len(rows) - 1))
        for number, row in reversed(list(enumerate(rows))):
            inside = (prompt >= row.input[0]) & (prompt < row.input[1])
            inside &= (output >= row.output[0]) & (output < row.output[1])
            bins[inside] = number
        return bins

    def _from_sessions(self, seed: int) -> tuple[Floats, Requests]:
        """Return requests of sessions: every prompt is the history and new tokens."""
        sessions = self.simulate.sessions
        assert sessions is not None
        generator = _stream(seed, _SESSIONS)
        times, session, before = self._turns(seed, generator)
        category = self._category_of(session, generator)
        fresh, bins = self._lengths(len(times), seed, category)
        images = self._rows.images[bins]
        group = generator.integers(sessions.system_prompts, size=int(session.max()) + 1)[session]
        system, each = sessions.system_prompt, self._tokens_of_a_turn(fresh, session, category)
        room = max(1, self.longest - system - int(max(each.values())))
        # Sessions that began before 0 have their turns until then behind them.
        history = {
            number: (number, system + int(turns * each.get(number, 0.0)) % room)
            for number, turns in enumerate(before.tolist())
        }
        begun = int(session.max()) + 1  # numbers of histories that began anew
        prompts, blocks = [], []
        rows = zip(session.tolist(), group.tolist(), fresh.tolist(), images.tolist(), strict=True)
        for number, own, (new, output), more in rows:
            identity, held = history.get(number, (number, system))
            if held + new + output + more > self.longest:
                identity, held = begun, system
                begun += 1
            prompt = held + new + more
            prompts.append(prompt)
            found = prompt + output if self.caches_outputs else prompt
            blocks.append(self._hashes(identity, own, found))
            history[number] = (identity, prompt + output)
        return times, self._classed(
            Requests(
                arrival=_UNTIMED,
                input=np.array(prompts, np.int64),
                cached=np.zeros(len(times), np.int64),
                output=fresh[:, 1],
                bin=bins,
                blocks=blocks,
                block_tokens=self.block,
            )
        )

    def _category_of(self, session: Integers, generator: np.random.Generator) -> Integers | None:
        """Return the class of each request, that of its session; None without classes."""
        shares = self.workload.shares
        if len(shares) == 1:
            return None
        return generator.choice(len(shares), size=int(session.max()) + 1, p=shares)[session]

    @staticmethod
    def _tokens_of_a_turn(
        fresh: Integers, session: Integers, category: Integers | None
    ) -> dict[int, float]:
        """Return the mean new tokens of a turn of each session, by its class."""
        tokens = fresh.sum(axis=1)
        kind = np.zeros(len(tokens), np.int64) if category is None else category
        mean = np.bincount(kind, tokens) / np.maximum(np.bincount(kind), 1)
        return dict(zip(session.tolist(), mean[kind].tolist(), strict=True))

    def _turns(
        self, seed: int, generator: np.random.Generator
    ) -> tuple[Floats, Integers, Integers]:
        """Return when requests of sessions come, rising, the session of each, and turns before 0.

        The first sessions are those that are under way at 0, so that the rate is what it should be
        from there on: what is left of them is as random as a whole one, for geometric numbers of
        turns and exponential gaps have no memory. Of many only those matter whose next turn comes
        soon. With a table of rates, or a burst, all sessions begin then.
        """
        sessions, count, rate = self.simulate.sessions, self.count, self.simulate.arrival.rate
        assert sessions is not None
        turns, gap = sessions.turns, sessions.gap
        soon = np.zeros(0)
        if rate is not None and gap:
            under_way = rate * gap * (turns - 1) / turns
            share = -math.expm1(-_HORIZON * count / rate / gap)
            soon = -gap * np.log1p(-share * generator.random(generator.poisson(under_way * share)))
        before = generator.geometric(1 / turns, len(soon))
        lasting = generator.geometric(1 / turns, len(soon))
        fresh = generator.geometric(1 / turns, math.ceil(_MARGIN * count / turns) + _SPARE)
        while lasting.sum() + fresh.sum() < count:
            fresh = np.concatenate([fresh, generator.geometric(1 / turns, len(fresh))])
        lasting = np.concatenate([lasting, fresh])
        starts = np.concatenate([soon, self._times(len(fresh), seed, turns)])
        session = np.repeat(np.arange(len(starts)), lasting)
        first = np.cumsum(lasting) - lasting
        gaps = generator.exponential(gap, len(session)) if gap else np.zeros(len(session))
        gaps[first] = 0.0
        waited = np.cumsum(gaps)
        times = starts[session] + waited - np.repeat(waited[first], lasting)
        order = np.argsort(times, kind="stable")[:count]
        return times[order], session[order], before

    def _hashes(self, session: int, group: int, tokens: Tokens) -> tuple[int, ...]:
        """Return names of the blocks of a sequence: those of the system prompt are for all."""
        assert self.simulate.sessions is not None
        shared = self.simulate.sessions.system_prompt // self.block
        common = -((group + 1) << _SESSION_BITS)
        own = (session + 1) << _SESSION_BITS
        count = tokens // self.block
        head = range(common, common + min(shared, count))
        return (*head, *range(own + shared, own + max(count, shared)))


@frozen(eq=False)
class _Rows:
    """The bins of a workload, those of all classes, as arrays of shape (N,).

    Attributes:
        part: the class of each.
        share: of the requests.
        low, high: prompt and output are from the one on and below the other, shape (N, 2).
        hit: share of the prompt that is cached at a flat rate.
        images: tokens of images in a prompt.
    """

    part: Integers
    share: Floats
    low: Integers
    high: Integers
    hit: Floats
    images: Integers

    @classmethod
    def of(
        cls, workload: Workload, images: Sequence[Tokens], sampling: LengthSampling | None
    ) -> "_Rows":
        """Return the bins of a workload, whose lengths are drawn so; None is as each has them."""
        counts = [len(part.bins) for part in workload.parts]
        ranges = [_ranges(part, row, sampling) for part, row in workload.rows]
        tokens = np.array(images or [0] * len(counts), np.int64)
        return cls(
            part=np.repeat(np.arange(len(counts)), counts),
            share=np.array([shape.share for shape in workload.shapes()]),
            low=np.array([low for low, _ in ranges]),
            high=np.array([high for _, high in ranges]),
            hit=np.array([part.hit_of(row) for part, row in workload.rows]),
            images=np.repeat(tokens, counts),
        )

    def drawn(self, random: Floats, category: Integers) -> Integers:
        """Return a bin of each class, by numbers between 0 and 1."""
        bins = np.zeros(len(random), np.int64)
        for part in np.unique(category).tolist():
            own, rows = category == part, np.flatnonzero(self.part == part)
            upto = np.cumsum(self.share[rows]) / self.share[rows].sum()
            place = np.searchsorted(upto, random[own], side="right")
            bins[own] = rows[np.minimum(place, len(rows) - 1)]
        return bins


Lengths = tuple[Tokens, Tokens]


def _ranges(
    part: RequestKind, row: LengthBin, sampling: LengthSampling | None
) -> tuple[Lengths, Lengths]:
    """Return where lengths of a bin begin and end: prompt and output each."""
    if sampling is None:
        built = any(one.means for one in part.bins)
        sampling = LengthSampling.REPRESENTATIVE if built else LengthSampling.UNIFORM
    if sampling is LengthSampling.UNIFORM:
        return (row.input[0], row.output[0]), (row.input[1], row.output[1])
    prompt, output = row.lengths(part.point_of(row))
    return (prompt, output), (prompt + 1, output + 1)


def unit_gaps(process: Process, cv: float, count: int, generator: np.random.Generator) -> Floats:
    """Return gaps between arrivals whose mean is 1."""
    match process:
        case Process.POISSON:
            return generator.exponential(1.0, count)
        case Process.GAMMA:
            return generator.gamma(1 / cv**2, cv**2, count)
        case Process.WEIBULL:
            shape = weibull_shape(cv)
            return np.asarray(generator.weibull(shape, count) / math.gamma(1 + 1 / shape))
        case _:
            return np.ones(count)


def weibull_shape(cv: float) -> float:
    """Return the shape of the Weibull distribution with a coefficient of variation.

    cv² = Γ(1 + 2/k) / Γ(1 + 1/k)² − 1, which falls as k rises.
    """
    low, high = 0.1, 100.0
    for _ in range(100):
        middle = math.sqrt(low * high)
        log = math.lgamma(1 + 2 / middle) - 2 * math.lgamma(1 + 1 / middle)
        if math.expm1(log) > cv**2:
            low = middle
        else:
            high = middle
    return middle


def at_rates(passed: Floats, rates: tuple[RatePoint, ...]) -> Floats:
    """Return when so many requests have come on average, at rates that change.

    A process of mean 1 whose time is the integral of the rate: a Poisson process stays one. The
    rate is linear between the rows, and stays as it is before the first and after the last.
    """
    at = np.array([0.0, *(p.at for p in rates)])
    rate = np.array([rates[0].rate, *(p.rate for p in rates)])
    came = np.concatenate([[0.0], np.cumsum(np.diff(at) * (rate[1:] + rate[:-1]) / 2)])
    row = np.searchsorted(came, passed, side="right") - 1
    last = row == len(at) - 1
    following = np.minimum(row + 1, len(at) - 1)
    length = np.where(last, 1.0, at[following] - at[row])
    slope = np.where(last, 0.0, (rate[following] - rate[row]) / np.maximum(length, 1e-300))
    left = passed - came[row]
    # The root of rate·s + slope·s²/2 = left, in the form that also holds for a slope of 0.
    root = np.sqrt(np.maximum(rate[row] ** 2 + 2 * slope * left, 0.0))
    return np.asarray(at[row] + 2 * left / np.maximum(rate[row] + root, 1e-300))


def _stream(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream])


def _whole(seconds: Floats) -> Integers:
    if len(seconds) and seconds[-1] > LONGEST_SIMULATION:
        raise TooLongError
    return np.round(seconds * PICOSECONDS).astype(np.int64)
