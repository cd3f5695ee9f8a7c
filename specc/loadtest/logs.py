"""What the log of an engine's start says of its memory.

Of vLLM and vLLM-Ascend (formats of 0.9 to 0.33; where they write GB of weights they mean GiB), and
of SGLang, whose GB are GiB, too. Lines are found by their text, as their places move in every
release. Ranks write lines of their own: the fullest device counts, and the smallest cache.
"""

import re

from attrs import frozen

from specc.loadtest.base import LoadTestError
from specc.records import Record
from specc.units import Bytes, Tokens

_GIB = 2**30

_WEIGHTS = (
    r"Loading model weights took ([\d.]+) GB",
    r"Model loading took ([\d.]+) GiB(?: memory)? and",
    r"Load weight end\..*?mem usage=([\d.]+) GB",
)
_SUMMARY = (
    r"([\d.]+) GiB for weights?, ([\d.]+) GiB for peak activation, ([\d.]+) GiB for non-torch"
)
_AVAILABLE = r"Available KV cache memory: (-?[\d.]+) GiB"
_AVAILABLE_BYTES = r"Available memory: (-?\d+), total memory: (\d+)"
_TOKENS = (r"KV cache size: ([\d,]+) tokens", r"KV Cache is allocated\..*?#tokens: ([\d,]+)")
_CONCURRENCY = r"Maximum concurrency for ([\d,]+) tokens per request: ([\d.]+)x"


@frozen(kw_only=True, eq=False, repr=False)
class StartLog(Record):
    """Figures of the log of a start; None is what it does not say.

    Attributes:
        weights, activations, reserved: bytes of the fullest device.
        kv_cache: bytes that the smallest cache of a device has.
        cache_tokens: tokens that the cache of a replica holds.
        context: tokens of a request of the greatest length, of which the cache holds
            `concurrency` at a time.
    """

    weights: Bytes | None = None
    activations: Bytes | None = None
    reserved: Bytes | None = None
    kv_cache: Bytes | None = None
    cache_tokens: Tokens | None = None
    context: Tokens | None = None
    concurrency: float | None = None


def read_log(text: str, name: str) -> StartLog:
    """Return what a log says.

    Raises:
        LoadTestError: it says nothing that is known.
    """
    weights = [float(found) for pattern in _WEIGHTS for found in re.findall(pattern, text)]
    summary = [tuple(map(float, found)) for found in re.findall(_SUMMARY, text)]
    caches = [round(float(found) * _GIB) for found in re.findall(_AVAILABLE, text)]
    caches += [int(found) for found, _ in re.findall(_AVAILABLE_BYTES, text)]
    tokens = [_whole(found) for pattern in _TOKENS for found in re.findall(pattern, text)]
    rated = [(float(times), _whole(length)) for length, times in re.findall(_CONCURRENCY, text)]
    found = StartLog(
        weights=_gib(weights or [row[0] for row in summary]),
        activations=_gib([row[1] for row in summary]),
        reserved=_gib([row[2] for row in summary]),
        kv_cache=min(caches, default=None),
        cache_tokens=min(tokens, default=None),
        context=min(rated)[1] if rated else None,
        concurrency=min(rated)[0] if rated else None,
    )
    if found == StartLog():
        raise LoadTestError(
            f"'{name}' has no line on the memory of an engine's start",
            help="give the log of vLLM, vLLM-Ascend or SGLang from the start to the first request, "
            "with lines such as 'GPU KV cache size: 135,296 tokens'",
        )
    return found


def _whole(text: str) -> int:
    return int(text.replace(",", ""))


def _gib(values: list[float]) -> Bytes | None:
    return round(max(values) * _GIB) if values else None
