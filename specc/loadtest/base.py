"""What a load test measured, as data; times in seconds, rates a second.

TTFT is the first token less the sending of the request; TPOT (last − first token) / (output tokens
− 1), over requests with two tokens or more; ITL the gaps between tokens of all requests, pooled;
latency the last token less the sending. All are of requests that succeeded.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from specc.diagnostics import ExplainedError
from specc.records import Record
from specc.units import Seconds, Tokens

PERCENTILES = ("p50", "p90", "p95", "p99")
METRICS = ("ttft", "tpot", "itl", "latency")
# A file whose times contradict each other by more is in other units than it says.
_MOST_OFF = 10.0
_MOST_MORE = 1.5  # under way than there are clients: some tools count a run without its ends
_MOST_CLIENTS = 10_000_000
# Chunks that are further apart than tokens carry several of them.
_CHUNK_OF_SEVERAL = 1.15
# A client sends all requests of a test within such a time if nothing holds them back.
_AT_ONCE: Seconds = 1.0


class LoadTestError(ExplainedError):
    """A file that cannot be used as the result of a load test, and what would help."""


@frozen(kw_only=True, eq=False, repr=False)
class Distribution(Record):
    """A metric over requests, in seconds; None is what the file does not say."""

    mean: Seconds | None = None
    p50: Seconds | None = None
    p90: Seconds | None = None
    p95: Seconds | None = None
    p99: Seconds | None = None
    max: Seconds | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Distribution | None":
        """Return that of values, with percentiles between the ranks; None if there are none."""
        if not values:
            return None
        ranked = sorted(values)
        quantiles = {name: _quantile(ranked, int(name[1:]) / 100) for name in PERCENTILES}
        return cls(mean=math.fsum(values) / len(values), max=ranked[-1], **quantiles)

    @property
    def said(self) -> dict[str, float]:
        """What is known, by the name of the statistic."""
        names = ("mean", *PERCENTILES, "max")
        found = {name: getattr(self, name) for name in names}
        return {name: value for name, value in found.items() if value is not None}


def _quantile(ranked: Sequence[float], share: float) -> float:
    at = share * (len(ranked) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (at - low) * (ranked[high] - ranked[low])


@frozen(eq=False, repr=False)
class Lengths(Record):
    """Tokens of prompts or of outputs: their mean, and the shortest and longest if known."""

    mean: float
    low: Tokens | None = None
    high: Tokens | None = None

    @classmethod
    def of(cls, values: Sequence[int]) -> "Lengths":
        """Return those of at least one request."""
        return cls(math.fsum(values) / len(values), min(values), max(values))


@frozen(kw_only=True, eq=False, repr=False)
class SentLoad(Record):
    """How requests were sent.

    Attributes:
        clients: most requests under way at a time; None for no limit.
        rate: requests a second that were meant; None if each waits for the one before it.
        process: `poisson`, `constant` or `gamma` gaps of a rate, `clients`, `burst`: all at once,
            `ramp`: a rate that grows, or `schedule`: at times of their own.
        cv: coefficient of variation of the gaps.
    """

    process: str
    clients: int | None = None
    rate: float | None = None
    cv: float = 1.0

    @property
    def label(self) -> str:
        """How a person calls it."""
        if self.rate is not None:
            capped = f", at most {self.clients} under way" if self.clients else ""
            return f"{self.rate:.4g} req/s, {self.process}{capped}"
        if self.process in _OWN_TIMES:
            return _OWN_TIMES[self.process]
        return f"{self.clients} clients" if self.clients else "all requests at once"


_OWN_TIMES = {"schedule": "requests at times of their own", "ramp": "a rate that changes"}


@frozen(eq=False, repr=False)
class RequestLog(Record):
    """The requests that succeeded, in the order in which they were sent.

    Attributes:
        arrival: seconds from the first one; empty where the file has no start times.
        input, output: tokens.
        ttft, latency: seconds.
    """

    arrival: tuple[Seconds, ...]
    input: tuple[Tokens, ...]
    output: tuple[Tokens, ...]
    ttft: tuple[Seconds, ...]
    latency: tuple[Seconds, ...]

    @property
    def tpot(self) -> tuple[Seconds, ...]:
        """Time per output token of requests with two tokens or more."""
        rows = zip(self.output, self.ttft, self.latency, strict=True)
        return tuple((latency - ttft) / (n - 1) for n, ttft, latency in rows if n > 1)

    @property
    def span(self) -> Seconds | None:
        """Seconds from the first request to the last token; None without start times."""
        if not self.arrival:
            return None
        return max(a + b for a, b in zip(self.arrival, self.latency, strict=True))


@frozen(kw_only=True, eq=False, repr=False)
class LoadTest(Record):
    """One run of a load-test tool.

    Attributes:
        tool, version: what wrote it; an empty version is not in its files.
        name: of the run, among those of its files.
        model: as the tool called it.
        load: how requests were sent.
        input, output: tokens of prompts and outputs.
        requests: that succeeded, over which all figures are; `failed` and `cancelled` are others,
            None where the files do not say.
        duration: seconds.
        tokens: of all outputs.
        acceptance: share of drafts of which the first, second, … token was accepted; empty if not
            known.
        tokens_per_step: that a step of a request gave with speculative decoding; None without.
        settings: what the file says of the server, by names as the tool has them.
        log: its requests, one by one.
        notes: what was converted, and what is not compared.
    """

    tool: str
    version: str = ""
    name: str = ""
    model: str = ""
    load: SentLoad
    input: Lengths
    output: Lengths
    requests: int
    failed: int | None = None
    cancelled: int | None = None
    duration: Seconds
    tokens: float
    ttft: Distribution | None = None
    tpot: Distribution | None = None
    itl: Distribution | None = None
    latency: Distribution | None = None
    acceptance: tuple[float, ...] = ()
    tokens_per_step: float | None = None
    settings: Mapping[str, str] = field(factory=dict)
    log: RequestLog | None = None
    notes: tuple[str, ...] = ()

    @property
    def throughput(self) -> float:
        """Output tokens a second."""
        return self.tokens / self.duration if self.duration else 0.0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.duration if self.duration else 0.0

    def metric(self, name: str) -> Distribution | None:
        """Return one of `METRICS`."""
        found: Distribution | None = getattr(self, name)
        return found


@frozen(eq=False, repr=False)
class ResultFile(Record):
    """A file that a tool wrote, parsed.

    Attributes:
        path: where it lies.
        data: the JSON object in it.
        text_beside: the text of another file of the run by its path relative to the folder of this
            one; None if there is none.
    """

    path: Path
    data: Mapping[str, Any]
    text_beside: Callable[[str], str | None]

    @property
    def fields(self) -> "Fields":
        """Its fields, checked as they are read."""
        return Fields(self.data, self.path.name)


@frozen(eq=False, repr=False)
class Fields(Record):
    """The fields of an object of a file; what is no number where one must be is an error."""

    data: Mapping[str, Any]
    where: str

    def number(self, key: str, scale: float = 1.0) -> float | None:
        """Return a number in SI units, None if it is absent or null.

        Raises:
            LoadTestError: it is something else, negative, or not finite.
        """
        value = self.data.get(key)
        return None if value is None else self._checked(key, value) * scale

    def needed(self, key: str, scale: float = 1.0) -> float:
        """Return a number that must be there.

        Raises:
            LoadTestError: it is absent, or no such number.
        """
        value = self.number(key, scale)
        if value is None:
            raise LoadTestError(
                f"'{self.where}' has no '{key}'", help="give the file as the tool wrote it"
            )
        return value

    def count(self, key: str) -> int | None:
        """Return a whole number, None if it is absent."""
        value = self.number(key)
        return None if value is None else round(value)

    def numbers(self, key: str, scale: float = 1.0) -> tuple[float, ...]:
        """Return a list of numbers, empty if it is absent."""
        found = self.data.get(key) or ()
        if not isinstance(found, list | tuple):
            raise LoadTestError(f"'{key}' of '{self.where}' is not a list")
        return tuple(self._checked(key, value) * scale for value in found)

    def text(self, key: str) -> str:
        """Return a text, empty if it is absent."""
        value = self.data.get(key)
        return "" if value is None else str(value)

    def inside(self, key: str) -> "Fields":
        """Return the object of a key, an empty one if it is absent."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise LoadTestError(f"'{key}' of '{self.where}' is not an object")
        return Fields(value or {}, f"{self.where}: {key}")

    def _checked(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            shown = str(value)[:40]
            raise LoadTestError(
                f"'{key}' of '{self.where}' is '{shown}', not a number",
                help="give the file as the tool wrote it",
            )
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number) or number < 0:
            raise LoadTestError(f"'{key}' of '{self.where}' is {value}, which no run can measure")
        return number


def checked(test: LoadTest) -> LoadTest:
    """Return a load test whose figures do not contradict each other.

    Gaps of chunks are left out where a chunk carries several tokens.

    Raises:
        LoadTestError: nothing succeeded, or times are in other units than their names say.
    """
    if test.requests < 1:
        failed = f"all {test.failed} requests failed" if test.failed else "no request succeeded"
        raise LoadTestError(
            f"{failed} in {_run(test)}", help="read the log of the server, and run the test again"
        )
    if test.duration <= 0 or test.throughput <= 0:
        raise LoadTestError(f"{_run(test)} has no duration or no output tokens")
    _check_load(test)
    _check_units(test)
    return _scheduled(_without_chunks(test))


def _scheduled(test: LoadTest) -> LoadTest:
    """Return a test whose requests have times of their own, if no limit explains them.

    A replay of a trace says that its rate has no limit, as a test of all requests at once does.
    """
    if test.load.process != "burst" or test.log is None or not test.log.arrival:
        return test
    at_once = max(test.log.arrival) <= _AT_ONCE
    return test if at_once else evolve(test, load=SentLoad(process="schedule"))


def _run(test: LoadTest) -> str:
    return f"the run '{test.name}' of {test.tool}" if test.name else f"the run of {test.tool}"


def _check_load(test: LoadTest) -> None:
    """Refuse a load that sends nothing, or more than there is."""
    clients, rate = test.load.clients, test.load.rate
    if clients is not None and not 1 <= clients <= _MOST_CLIENTS:
        raise LoadTestError(f"{_run(test)} had {clients:.4g} clients")
    if rate is not None and not 0 < rate < math.inf:
        raise LoadTestError(f"{_run(test)} had {rate:g} requests a second")


def _check_units(test: LoadTest) -> None:
    """Compare latency with TTFT and TPOT, and what is under way with what may be."""
    ttft, tpot, latency = (
        None if found is None else found.mean for found in (test.ttft, test.tpot, test.latency)
    )
    if latency is None and ttft is not None and tpot is not None:
        latency = ttft + tpot * (test.output.mean - 1)
    elif latency and ttft is not None and tpot is not None:
        sum_ = ttft + tpot * (test.output.mean - 1)
        if not 1 / _MOST_OFF < sum_ / latency < _MOST_OFF:
            raise _mixed(
                test, f"TTFT and TPOT add up to {sum_:.4g} s, the latency is {latency:.4g} s"
            )
    if latency is None:
        return
    under_way = test.rate * latency
    most = min(test.load.clients or test.requests, test.requests)
    closed = test.load.process == "clients"
    least = most / _MOST_OFF if closed else 1 / _MOST_OFF / test.requests
    if not least <= under_way <= most * (_MOST_MORE if closed else _MOST_OFF):
        raise _mixed(
            test,
            f"{test.rate:.4g} req/s of {latency:.4g} s each are {under_way:.4g} requests under "
            f"way, of {most}",
        )


def _mixed(test: LoadTest, why: str) -> LoadTestError:
    return LoadTestError(
        f"the units in {_run(test)} do not fit each other",
        why=why,
        help="give the file as the tool wrote it: times of one run are in milliseconds, or all "
        "in seconds, as their names say",
    )


def _without_chunks(test: LoadTest) -> LoadTest:
    if test.itl is None or test.tpot is None or not test.itl.mean or not test.tpot.mean:
        return test
    several = test.tokens_per_step is not None and test.tokens_per_step > 1.01
    if not several and test.itl.mean <= _CHUNK_OF_SEVERAL * test.tpot.mean:
        return test
    note = "ITL is not compared: its gaps are those of chunks, which carry several tokens"
    return evolve(test, itl=None, notes=(*test.notes, note))
