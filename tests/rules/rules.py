"""The rules. Each draws a plan and a changed one, and returns a case where the rule is broken.

Figures are simulated, so they have noise: of the requests that are drawn, and of the choice between
candidates that the closed form ranks. `NOISE` is what a result may be worse by and still count as
equal; it is stated with each rule that uses another.
"""

import random
from collections.abc import Callable

from specc.results import Configuration, Metrics, StudyResult
from tests.rules.plans import Case, Plan, drawn, result_of

NOISE = 0.05  # relative, of throughput in a closed loop: start-up and drain count in it

Rule = Callable[[random.Random], Case | None]


def _throughput(plan: Plan) -> float:
    best = plan.best
    return 0.0 if best is None else best.throughput


def _not_worse(name: str, before: Plan, after: Plan, noise: float = NOISE) -> Case | None:
    """Compare what is best in both by throughput."""
    seen = _throughput(before), _throughput(after)
    return None if seen[1] >= seen[0] * (1 - noise) else Case(name, before, after, seen)


def _metrics(plan: Plan) -> Metrics | None:
    simulations = plan.result.simulations
    return simulations[0].metrics if simulations else None


def more_devices(draw: random.Random) -> Case | None:
    """More devices never lower the best of a fleet."""
    plan = drawn(draw)
    count = plan.devices * draw.randint(1, 6)
    more = count + draw.randint(1, 3 * plan.devices)
    before, after = (plan.but(deployment=f"fleet {{ devices = {n} }}") for n in (count, more))
    return _not_worse("more devices", before, after)


def looser_limits(draw: random.Random) -> Case | None:
    """Looser limits never lower the best."""
    plan = drawn(draw)
    limit = draw.randint(15, 100)
    looser = limit * draw.uniform(1.05, 3)
    before, after = (plan.but(slo=f"tpot <= {x:.6g} ms") for x in (limit, looser))
    return _not_worse("looser limits", before, after)


def faster_memory(draw: random.Random) -> Case | None:
    """Faster memory never lowers the best: of measured rates of kernels the same share."""
    plan = drawn(draw)
    factor = draw.uniform(1.05, 2)
    usual = {"atlas_800_a2_376t": 1.6, "atlas_800_a3_752t_die": 1.6, "h100": 3.05}[plan.device]
    before, after = (
        plan.but(faster=f"memory_bandwidth = {usual * f:.6g} TiB/s") for f in (1.0, factor)
    )
    return _not_worse("faster memory", before, after)


def faster_compute(draw: random.Random) -> Case | None:
    """Nor does a faster matrix unit."""
    plan = drawn(draw)
    factor = draw.uniform(1.05, 2)
    cube = "cube {{ fp16 = {0:.6g} TFLOPS; bf16 = {0:.6g} TFLOPS; int8 = {1:.6g} TFLOPS }}"
    usual = {"h100": (989.4, 1978.9)}.get(plan.device, (353.9, 707.8))
    before, after = (plan.but(faster=cube.format(*(f * x for x in usual))) for f in (1.0, factor))
    return _not_worse("faster compute", before, after)


def faster_links(draw: random.Random) -> Case | None:
    """Nor do faster links: of the dies of a card, of a node and between nodes."""
    plan = drawn(draw).but(device="atlas_800_a3_752t_die")
    factor = draw.uniform(1.05, 2)
    links = "level {} {{ bandwidth = {:.6g} GB/s }}"
    usual = {"card": 224, "node": 196, "supernode": 196}
    before, after = (
        plan.but(faster="; ".join(links.format(name, rate * f) for name, rate in usual.items()))
        for f in (1.0, factor)
    )
    return _not_worse("faster links", before, after)


def more_candidates(draw: random.Random) -> Case | None:
    """More candidates never lower the best.

    The closed form, which ranks them, is within 10 % of the simulation: that is the noise.
    """
    plan = drawn(draw)
    sizes = [size for size in (1, 2, 4) if size <= plan.devices]
    before, after = plan.but(tp=str(draw.choice(sizes))), plan.but(tp=str(sizes))
    return _not_worse("more candidates", before, after, noise=0.1)


def longer_prompts(draw: random.Random) -> Case | None:
    """Longer prompts never shorten TTFT: of the same clients on the same engine.

    Fewer of them fit into a step, which ends sooner for those that do: up to 10 % in the mean.
    """
    plan = drawn(draw)
    clients = draw.randint(1, 24)
    plan = plan.but(
        engine="max_sequences = 24",
        study=f"simulate {{ arrival = concurrency({clients}); requests = 500 }}",
        slo="tpot <= 10 s",
    )
    longer = plan.but(prompt=round(plan.prompt * draw.uniform(1.1, 2)))
    found = [_metrics(p) for p in (plan, longer)]
    if any(m is None or m.ttft is None for m in found):
        return None
    seen = tuple(m.ttft.mean for m in found)
    broken = seen[1] < seen[0] * (1 - 2 * NOISE)
    return Case("longer prompts", plan, longer, seen) if broken else None


def longer_shared_prompts(draw: random.Random) -> Case | None:
    """A longer system prompt never lowers the share of prompts that the cache has."""
    plan = drawn(draw)
    length, more = 256 * draw.randint(1, 4), 256 * draw.randint(1, 4)
    plan = plan.but(prompt=256 + plan.prompt // 8, slo="tpot <= 10 s", engine="max_sequences = 32")
    load = (
        "simulate {{ arrival = poisson(2 req/s); requests = 600; sessions {{ turns = {turns}; "
        "gap = 5 s; system_prompt = {0} tok; system_prompts = 2 }} }}"
    )
    turns = draw.randint(2, 5)
    before, after = (plan.but(study=load.format(n, turns=turns)) for n in (length, length + more))
    found = [_metrics(p) for p in (before, after)]
    if any(m is None for m in found):
        return None
    seen = tuple(m.hits for m in found)
    broken = seen[1] < seen[0] * (1 - NOISE)
    return Case("longer shared prompts", before, after, seen) if broken else None


def fewer_bits(draw: random.Random) -> Case | None:
    """Fewer bits of weights or of the cache never take more memory of the same engine."""
    plan = drawn(draw).but(engine="max_sequences = 8", slo="tpot <= 10 s", study="simulate = none")
    if plan.device == "h100":
        plan = plan.but(device="atlas_800_a2_376t")
    formats = [
        ("bf16", "bf16"),
        ("w8a8_dynamic", "bf16"),
        ("w8a8_dynamic", "int8"),
        ("w4a8", "int8"),
    ]
    used = []
    for quant, cache in formats:
        best = plan.but(quant=quant, cache=cache).best
        used.append(None if best is None else _used(best))
    for (first, a), (second, b) in zip(
        zip(formats, used, strict=True), list(zip(formats, used, strict=True))[1:], strict=False
    ):
        if a is not None and b is not None and b > a * (1 + 1e-9):
            pair = (plan.but(quant=q, cache=c) for q, c in (first, second))
            return Case("fewer bits", *pair, (a, b))
    return None


def _used(best: Configuration) -> float:
    memory = best.instances[0].point.memory
    return memory.weights + memory.kv_cache


def no_load(draw: random.Random) -> Case | None:
    """As the rate goes to 0 requests see what one that is alone sees."""
    plan = drawn(draw).but(engine="max_sequences = 16", slo="tpot <= 10 s")
    alone = plan.but(study="simulate { arrival = concurrency(1); requests = 100 }")
    rare = plan.but(study="simulate { arrival = poisson(0.0001 req/s); requests = 100 }")
    found = [_metrics(p) for p in (alone, rare)]
    if any(m is None or m.ttft is None or m.tpot is None for m in found):
        return None
    for metric in ("ttft", "tpot", "latency"):
        seen = tuple(getattr(m, metric).mean for m in found)
        if abs(seen[1] / seen[0] - 1) > 1e-3:
            return Case(f"no load: {metric}", alone, rare, seen)
    return None


def double_load(draw: random.Random) -> Case | None:
    """Double load on double instances: the same percentiles.

    Instances are taken in turn, so requests come more evenly to each than at random: TTFT falls
    where prompts waited for each other, and TPOT moves by up to 15 %, as prompts share fewer steps
    (it rises with the steps that prefill) and fewer of them follow each other (its p90 falls).
    """
    plan = drawn(draw).but(engine="max_sequences = 64", slo="tpot <= 10 s")
    loop = _metrics(plan.but(study="simulate { arrival = concurrency(32); requests = 400 }"))
    if loop is None:
        return None
    rate = loop.served * draw.uniform(0.2, 0.6)
    text = "simulate {{ arrival = poisson({0:.6g} req/s); requests = {1}; instances = {2} }}"
    before = plan.but(study=text.format(rate, 4000, 1))
    after = plan.but(study=text.format(2 * rate, 8000, 2))
    found = [_metrics(p) for p in (before, after)]
    if any(m is None or m.ttft is None or m.tpot is None for m in found):
        return None
    for metric, quantile in (("tpot", "p50"), ("tpot", "p90"), ("ttft", "p50"), ("ttft", "p90")):
        seen = tuple(getattr(getattr(m, metric), quantile) for m in found)
        ratio = seen[1] / seen[0]
        if ratio > 1.15 or (metric == "tpot" and ratio < 0.85):
            return Case(f"double load: {metric}.{quantile}", before, after, seen)
    return None


def words(draw: random.Random) -> Case | None:
    """Units, and the order of blocks and candidates, change nothing."""
    plan = drawn(draw)
    before = plan.but(tp="[1, 2]" if plan.devices > 1 else "1", slo="tpot <= 50 ms; ttft <= 2 s")
    after = before.but(
        tp="[2, 1]" if plan.devices > 1 else "[1]", slo="ttft <= 2000 ms; tpot <= 0.05 s"
    )
    # The deployment before the workload.
    head, _, rest = after.text.partition("workload w")
    lengths, _, others = rest.partition("deployment d")
    deployment, _, study = others.partition("study s")
    turned = f"{head}deployment d{deployment}workload w{lengths}study s{study}"
    same = _figures(before.result) == _figures(result_of(turned))
    return None if same else Case("words", before, after, (0.0, 1.0))


def _figures(found: StudyResult) -> tuple[object, ...]:
    best = found.best
    if best is None:
        return ()
    metrics = best.metrics
    assert metrics is not None
    return best.configuration, best.throughput, best.ttft, best.tpot, metrics.goodput


RULES: tuple[Rule, ...] = (
    more_devices,
    looser_limits,
    faster_memory,
    faster_compute,
    faster_links,
    more_candidates,
    longer_prompts,
    longer_shared_prompts,
    fewer_bits,
    no_load,
    double_load,
    words,
)
