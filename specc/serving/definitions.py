"""One definition of each metric, printed with every report."""

from attrs import frozen


@frozen
class Definition:
    """A metric: its title, its unit in reports, and what exactly it is."""

    title: str
    unit: str
    text: str


DEFINITIONS: dict[str, Definition] = {
    "ttft": Definition(
        "TTFT",
        "ms",
        "Mean time to first token. All requests of the batch arrive together and are prefilled in "
        "waves, back to back, with nobody decoding meanwhile; the mean is over requests, "
        "each counted to the end of its wave.",
    ),
    "tpot": Definition(
        "TPOT",
        "ms",
        "Time per output token including prefill's share: (TTFT + decode step × output tokens) / "
        "output tokens. It is the end-to-end time spread over the answer, and so larger than the "
        "gap between tokens that a user sees, which is the decode step.",
    ),
    "throughput": Definition(
        "Throughput",
        "tok/s",
        "Output tokens of all requests in flight over their end-to-end time: concurrency × output "
        "tokens / (TTFT + decode step × output tokens). Prompt tokens are not counted.",
    ),
    "throughput_per_device": Definition(
        "per device", "tok/s", "Throughput divided by the devices of the deployment."
    ),
    "bands": Definition(
        "p10–p90",
        "",
        "Where eight of ten measurements would lie if the residuals of the cost model were all "
        "that is uncertain: each class of operators is off by the spread of its fit, classes "
        "independently of each other, and steps by the spread of the serving software.",
    ),
    "decode_step": Definition(
        "Decode step",
        "ms",
        "One decode step of the batch at the mean context: prompt + half the answer + 1.",
    ),
    "batch": Definition("Batch", "", "Requests in flight on one replica (one data-parallel rank)."),
    "concurrency": Definition(
        "Concurrency", "", "Requests in flight in the deployment: batch × DP × PP."
    ),
    "chunk_budget": Definition(
        "Chunk budget",
        "tok",
        "New prompt tokens a replica takes in a prefill step. Waves fill the budgets of all "
        "replicas together, ⌊budget × DP / computed prompt⌋ requests, so the fullest replica may "
        "take one prompt more than its own budget holds.",
    ),
    "available": Definition(
        "Available",
        "GiB",
        "Device memory less weights, KV cache, activations and reserve, in the tightest of the "
        "prefill and decode steps, with the KV cache at the mean context of the batch.",
    ),
    "available_at_end": Definition(
        "Available at the end",
        "GiB",
        "The same if all requests of the batch stand at the end of their answers together. Below "
        "zero, an engine would have to preempt requests.",
    ),
}
