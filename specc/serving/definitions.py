"""One definition of each metric, printed with every report."""

from attrs import frozen


@frozen
class Definition:
    """A metric: its title, its unit in reports, and what exactly it is."""

    title: str
    unit: str
    text: str


SIMULATED = ("simulation", "goodput", "capacity")


def definitions(simulated: bool) -> dict[str, Definition]:
    """Return the definitions that a report needs, with or without simulations."""
    return {k: d for k, d in DEFINITIONS.items() if simulated or k not in SIMULATED}


DEFINITIONS: dict[str, Definition] = {
    "method": Definition(
        "Method",
        "",
        "Where every prompt fits the chunk budget and no scheduler is named, aggregated serving is "
        "a closed form: all requests of the batch arrive together, are prefilled in waves with "
        "nobody decoding, then all decode. Otherwise it is a loop over the steps of the engine, in "
        "which chunks of prompts run beside decodes.",
    ),
    "ttft": Definition(
        "TTFT",
        "ms",
        "Mean time to first token. All requests of the batch arrive together; each is counted to "
        "the end of the wave or the step that completes its prompt, and the mean is over requests.",
    ),
    "tpot": Definition(
        "TPOT",
        "ms",
        "Mean time per output token. In the step loop and where phases are apart: (last token − "
        "first token) / (output tokens − 1), with the way of the KV cache. In the closed form it "
        "includes prefill's share: (TTFT + decode step × output tokens) / output tokens, which is "
        "the end-to-end time spread over the answer and larger than the gap between tokens.",
    ),
    "throughput": Definition(
        "Throughput",
        "tok/s",
        "Output tokens a second of all instances, requests in flight × output tokens / end-to-end "
        "time; in the step loop the time until the last request of a shape is done. Where phases "
        "are apart, the rate of requests × output tokens. An instance that prefills alone counts "
        "tokens of prompts.",
    ),
    "throughput_per_device": Definition(
        "per device", "tok/s", "Throughput divided by all devices, spare instances included."
    ),
    "rate": Definition(
        "Rate",
        "req/s",
        "Requests a second that complete, spares aside. Prefill alone: requests of a batch over "
        "the time until the last prompt is done. Decode alone: throughput / (output tokens − 1). "
        "Of separate phases the slower one counts.",
    ),
    "bands": Definition(
        "p10–p90",
        "",
        "Where eight of ten measurements would lie if the residuals of the cost model were all "
        "that is uncertain: each class of operators is off by the spread of its fit, classes "
        "independently of each other, and steps by the spread of the serving software.",
    ),
    "lengths": Definition(
        "Lengths",
        "",
        "Every bin of lengths stands for one length of prompt and one of answer. Steps hold each "
        "bin in its share, fractions of requests included; those that decode are weighted by "
        "their answers, as a request is in flight as long as its answer.",
    ),
    "decode_step": Definition(
        "Decode step",
        "ms",
        "One decode step of the batch at the mean context: prompt + half the answer + 1. With "
        "speculative decoding it yields the accepted tokens as well.",
    ),
    "batch": Definition(
        "Batch",
        "",
        "Requests in flight on one replica (one data-parallel rank). Of the feasible ones that "
        "with the highest throughput; for prefill alone the smallest that reaches 99 % of it, as "
        "more would only wait.",
    ),
    "concurrency": Definition(
        "Concurrency", "", "Requests in flight in an instance: batch × DP × PP."
    ),
    "chunk_budget": Definition(
        "Chunk budget",
        "tok",
        "New tokens a replica takes in a step. The replicas of an instance pool their budgets: "
        "waves hold ⌊budget × DP / computed prompt⌋ requests, so the fullest replica may take one "
        "prompt more than its own budget holds.",
    ),
    "transfer": Definition(
        "Way of the KV cache",
        "ms",
        "Latency plus the cache of the mean prompt on one rank over the link of a device, between "
        "prefill and the second token. Layer by layer, what does not fit behind prefill is left.",
    ),
    "available": Definition(
        "Available",
        "GiB",
        "Device memory less weights, KV cache, activations and reserve, in the tightest step. The "
        "cache holds all requests in flight, decoding ones at their mean context, a cached prefix "
        "once for each of them, and the prefixes that the engine keeps besides.",
    ),
    "available_at_end": Definition(
        "Available at the end",
        "GiB",
        "The same if all requests of the batch stand at the end of their answers together. Below "
        "zero, an engine would have to preempt requests.",
    ),
    "cost": Definition(
        "Cost and energy",
        "",
        "Price and power of all devices, spares included, over the output tokens of the same time.",
    ),
    "simulation": Definition(
        "As simulated",
        "",
        "Every request comes at its own time, waits, and runs in the steps of an engine with a "
        "token budget, a limit on sequences and a KV cache of blocks: sequences that run decode "
        "first, prompts in order of arrival fill the rest of the step, in chunks; when blocks run "
        "out the latest admitted is preempted and computed again (as vLLM V1 does). Of each "
        "request: TTFT = first token − arrival; TPOT = (last − first token) / (answer − 1); "
        "latency = last token − arrival; queue = start of its first step − arrival. ITL are the "
        "gaps between tokens, of all requests together. Percentiles interpolate between the two "
        "nearest values.",
    ),
    "goodput": Definition(
        "Goodput",
        "req/s",
        "Requests that meet every objective, a second, from the first arrival to the last token. "
        "A request is judged by the widest limit on each metric; what was rejected has missed.",
    ),
    "capacity": Definition(
        "Capacity",
        "req/s",
        "The highest rate at which the target share of the requests meets every objective, every "
        "statistic keeps its limit and the queue does not grow, by bisection to 1 % with the same "
        "requests at every rate; mean over seeds.",
    ),
}
