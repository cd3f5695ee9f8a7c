"""Phrases that several sections of a report share."""

from specc.ir import Slo
from specc.report import format as show
from specc.report.format import limit_name
from specc.results import Configuration, Miss

NOTHING_FITS = "no layout meets the limits"
_LIMITED_BY = {
    "ttft": "TTFT",
    "tpot": "TPOT",
    "max_sequences": "max sequences",
    "chunk_budget": "chunk budget",
    "waves": "saturated",
    "peak": "larger serves less",
}

# What limits a batch, in the middle of a sentence.
KNOWN_LIMITS = {
    "ttft": "TTFT",
    "tpot": "TPOT",
    "memory": "the memory of a device",
    "range": "the largest batch in the range",
    "max_sequences": "the engine's limit on sequences",
    "chunk_budget": "the chunk budget: each decoding sequence uses part of it in every step",
    "unknown": "a limit that was not probed",
}
# Inputs that are varied, in the middle of a sentence: 10 % more …
FACTORS = {
    "ttft_limit": "limit on TTFT",
    "tpot_limit": "limit on TPOT",
    "load": "load",
    "prompt": "prompt length",
    "output": "output length",
    "prefix_hit": "prefix hits",
    "acceptance": "accepted drafts",
    "memory_bandwidth": "memory bandwidth",
    "memory": "memory",
    "compute": "compute",
    "link_bandwidth": "link bandwidth",
    "host": "host overhead",
}


def capital(text: str) -> str:
    """Return a text that begins a sentence."""
    return text[:1].upper() + text[1:]


def limited_by(stopped_by: str) -> str:
    """Name what limits the batch, in a word or two."""
    return _LIMITED_BY.get(stopped_by, stopped_by.replace("_", " "))


def miss_text(miss: Miss) -> str:
    """Say how far a value is from its limit: `TPOT 60 ms, limit 50 ms (20 % above)`."""
    value, allowed = show.fact(miss.limit, miss.value), show.fact(miss.limit, miss.allowed)
    if miss.limit == "max_model_length":
        return f"{limit_name(miss.limit)} {value}, but the KV cache holds {allowed} of one request"
    return f"{limit_name(miss.limit)} {value}, limit {allowed} ({excess_text(miss)})"


def misses_text(misses: tuple[Miss, ...]) -> str:
    """Say how far each value is from its limit."""
    return "; ".join(miss_text(miss) for miss in misses)


def excess_text(miss: Miss) -> str:
    """Say how far beyond its limit a value is, relative to it."""
    if miss.value < miss.allowed:
        return f"{show.percent(miss.excess)} below"
    if miss.excess > 1000:
        return "more than 1,000 times the limit"
    if miss.excess > 1:
        return f"{1 + miss.excess:.1f} times the limit"
    return f"{show.percent(miss.excess)} above"


def sized(found: Configuration) -> str:
    """Return the layout of a configuration with the batch of each kind of instance."""
    if found.simulated:
        return f"{found.layout}, up to {found.instances[-1].engine.max_sequences} sequences"
    batches = ", ".join(show.integer(group.point.batch) for group in found.instances)
    return f"{found.layout}, batch {batches}"


def objectives(slo: Slo) -> str:
    """Say the objectives in a few words: `TTFT ≤ 2 s and TPOT ≤ 50 ms`."""
    limits = [
        f"{name.upper()} ≤ {show.duration(limit)}"
        for name, limit in (("ttft", slo.ttft), ("tpot", slo.tpot))
        if limit is not None
    ]
    limits += [tail.text for tail in slo.tails]
    return " and ".join(limits) or "no latency objective"
