"""What the difference between a measured run and its prediction looks like, and what to try.

One run tells no causes: each of these says which figures speak for it. The likeliest is first.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from specc.results import BoundShares
from specc.results.comparisons import Comparison, Looks

_OFF = 1.15  # a ratio from which a metric counts as slower, or below its inverse as faster
_OUTSIDE_CLIENT = 0.9  # share of the predicted requests under way below which the tool waits
_HOST = 0.2  # share of a step that waits for the host, from which more of it is likely
_SHORT_STEP = 0.020  # seconds of a step below which the host is often slower than the device
_QUEUED = 0.3  # share of TTFT that is queue
_FEW_FAIL = 0.01  # share of failed requests that changes the load
_FIXED = 0.06  # seconds more of TTFT that a server and its client may add to each request


class Difference(NamedTuple):
    """What is known of a difference.

    Attributes:
        ttft, tpot, throughput: measured over predicted; 1 inside of the interval.
        more_ttft, more_tpot: seconds.
        step: predicted seconds of a decode step; `decode` what bounds it.
        queued: predicted share of TTFT in which a request waits for others.
        under_way: measured requests under way, over the predicted ones.
        spread_ttft: measured p99 over median of TTFT.
        drafts: whether tokens are drafted.
        failed: share of the requests that failed.
    """

    ttft: float
    tpot: float
    throughput: float
    more_ttft: float
    more_tpot: float
    step: float
    decode: BoundShares | None
    queued: float
    under_way: float
    spread_ttft: float
    drafts: bool
    failed: float

    @property
    def slower_ttft(self) -> bool:
        """Whether TTFT is longer than predicted, and TPOT is not."""
        return self.ttft > _OFF and not self.tpot > _OFF


def looks_of(found: Comparison, difference: Difference) -> tuple[Looks, ...]:
    """Return what a difference looks like; nothing where all means are in their intervals."""
    if found.verdict != "outside":
        return ()
    seen = [one for rule in _RULES for one in rule(difference)]
    return tuple(seen) or (
        Looks(
            kind="unclear",
            why="no single cause explains these figures",
            remedy="measure one request alone, then more clients: specc compare takes all results",
        ),
    )


def _failed(of: Difference) -> Iterator[Looks]:
    if of.failed > _FEW_FAIL:
        yield Looks(
            kind="failed requests",
            why=f"{of.failed:.0%} of the requests failed, so fewer were under way than were sent",
            remedy="read the log of the server, and measure again when none fails",
        )


def _generator(of: Difference) -> Iterator[Looks]:
    if of.under_way < _OUTSIDE_CLIENT and not of.failed > _FEW_FAIL:
        yield Looks(
            kind="the load generator's own wait",
            why=f"only {of.under_way:.0%} of the requests that should be under way are "
            "(rate times latency)",
            remedy="use more processes or another tool; look at the CPU of its machine; send "
            "requests from near the server",
        )


def _queueing(of: Difference) -> Iterator[Looks]:
    if of.slower_ttft and (of.queued > _QUEUED or of.spread_ttft > 3) and of.more_ttft > _FIXED:
        yield Looks(
            kind="queueing",
            why=f"TTFT is {of.ttft:.2f} times the prediction, TPOT is not: requests wait",
            remedy="compare max_num_seqs, max_num_batched_tokens and the KV cache in the log of "
            "the start (--log) with those of the plan; look for preemptions",
        )


def _requests(of: Difference) -> Iterator[Looks]:
    if of.slower_ttft and 0 < of.more_ttft <= _FIXED:
        yield Looks(
            kind="time beside steps",
            why=f"TTFT is {1e3 * of.more_ttft:.0f} ms longer and TPOT is as predicted: HTTP, "
            "tokenizer and the client add so much to each request",
            remedy="--api-server-count, a faster tokenizer, a client near the server; 'specc "
            "calibrate --served' learns the time of a request",
        )


def _prefill(of: Difference) -> Iterator[Looks]:
    if of.slower_ttft and of.more_ttft > _FIXED and of.queued <= _QUEUED and of.spread_ttft <= 3:
        yield Looks(
            kind="prefill",
            why=f"TTFT is {of.ttft:.2f} times the prediction, TPOT is not",
            remedy="look whether prompts are as long as planned (chat template, words for tokens), "
            "whether a prefix cache was planned and not hit, and at the kernels of prefill",
        )


def _host(of: Difference) -> Iterator[Looks]:
    if not of.tpot > _OFF:
        return
    waits = of.decode.launch if of.decode else 0.0
    if waits > _HOST or of.step < _SHORT_STEP:
        yield Looks(
            kind="host overhead",
            why=f"a step takes {1e3 * of.more_tpot:.1f} ms longer than the predicted "
            f"{1e3 * of.step:.1f} ms; so short a step often waits for the host",
            remedy="check that decode runs in captured graphs (cudagraph_mode, capture sizes up to "
            "the batch), asynchronous scheduling, CPU binding, TASK_QUEUE_ENABLE and the "
            "CPU governor; then 'specc calibrate --served'",
        )


def _memory(of: Difference) -> Iterator[Looks]:
    if not of.tpot > _OFF or of.decode is None:
        return
    shares = {
        "memory": of.decode.memory,
        "communication": of.decode.communication,
        "compute": of.decode.compute,
    }
    most = max(shares, key=lambda name: shares[name])
    if shares[most] < 0.3:
        return
    yield Looks(
        kind=_BOUND[most][0],
        why=f"TPOT is {of.tpot:.2f} times the prediction, and {shares[most]:.0%} of a step is "
        f"bound by {most}",
        remedy=_BOUND[most][1],
    )


_BOUND = {
    "memory": (
        "memory-bound decode",
        "check that the weights have the planned format (the log of the start: --log), the format "
        "of the KV cache, and whether contexts are longer than planned",
    ),
    "communication": (
        "communication",
        "check HCCL_OP_EXPANSION_MODE=AIV, HCCL_BUFFSIZE, the links between nodes, and that ranks "
        "of a TP group share a node",
    ),
    "compute": (
        "compute-bound decode",
        "check the number format of activations, and the clock and temperature of the devices",
    ),
}


def _faster(of: Difference) -> Iterator[Looks]:
    if of.tpot < 1 / _OFF:
        yield Looks(
            kind="faster decode than predicted",
            why=f"TPOT is {of.tpot:.2f} times the prediction",
            remedy="check the lengths of outputs and contexts"
            + (", the acceptance of drafts" if of.drafts else "")
            + "; if they are right, 'specc calibrate --served' makes the next plan less cautious",
        )
    elif of.ttft < 1 / _OFF and not of.tpot > _OFF:
        yield Looks(
            kind="faster prefill than predicted",
            why=f"TTFT is {of.ttft:.2f} times the prediction",
            remedy="look whether prompts repeat: a prefix cache finds them (--prefix-hit says how "
            "much), and whether prompts are as long as planned",
        )


_RULES: tuple[Callable[[Difference], Iterator[Looks]], ...] = (
    _failed,
    _generator,
    _queueing,
    _requests,
    _prefill,
    _host,
    _memory,
    _faster,
)


def ratio(measured: float | None, predicted: float | None) -> float:
    """Return measured over predicted, NaN where one is not known."""
    return measured / predicted if measured is not None and predicted else math.nan
