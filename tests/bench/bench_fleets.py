"""Fleets that were sized for a rate, simulated at it with seeds that nobody looked at.

    python -m tests.bench.bench_fleets [STUDIES] [SEED]

Models, devices, lengths, limits and rates are drawn at random. Of each study the recommendation is
simulated at its rate with three other seeds, and so it is with one instance fewer. Goals: every
limit on a mean holds in at least 95 % of the studies, and with one instance fewer one breaks in at
least 80 %. Studies that nothing is feasible of are drawn again; those that one instance carries
have none fewer.
"""

import random
import sys
import tempfile
from pathlib import Path

from attrs import frozen

from specc.ir import Process, Simulate
from specc.ir.simulation import Arrival
from specc.results import Configuration
from specc.run.events import Events
from specc.run.executors import evaluated
from specc.run.loads import seen_under
from specc.run.runner import Runner
from specc.run.subjects import Conditions, Simulator, subject_of
from specc.session import Session

SEEDS = (101, 102, 103)
PLAN = """
use std.devices
use std.models
workload w {{ {lengths}; slo {{ ttft <= {ttft} ms; tpot <= {tpot} ms }} }}
deployment d {{
    model = {model}; quant = w8a8_dynamic; device = {device}; devices = {devices}
    fleet {{ rate = {rate} req/s }}
}}
study s {{ workload = w; deployments = d }}
"""
BINS = """requests {{
    | share | input | output |
    | 70%   | {a} .. {b} | {c} .. {d} |
    | 30%   | {b} .. {e} | {c} .. {f} |
}}"""


@frozen
class Verdict:
    """Whether a fleet carries its rate with other seeds, and whether one instance fewer does."""

    text: str
    count: int
    holds: bool
    breaks: bool | None


def plan_of(seed: int) -> str:
    """Draw a study."""
    draw = random.Random(seed)
    prompt, output = round(2 ** draw.uniform(7, 13)), round(2 ** draw.uniform(5, 10))
    lengths = f"input = {prompt} tok; output = {output} tok"
    if draw.random() < 0.5:
        lengths = BINS.format(
            a=max(1, prompt // 4), b=prompt, c=max(2, output // 4), d=output,
            e=3 * prompt, f=2 * output,
        )  # fmt: skip
    model, devices = draw.choice(
        (("qwen3_8b", 1), ("qwen3_8b", 2), ("qwen3_32b", 4), ("qwen3_32b", 8), ("qwen3_30b_a3b", 4))
    )
    return PLAN.format(
        lengths=lengths,
        model=model,
        device=draw.choice(("atlas_800_a3_752t_die", "atlas_800_a2_313t")),
        devices=devices,
        ttft=round(2 ** draw.uniform(9, 13)),
        tpot=round(draw.uniform(20, 80)),
        rate=round(2 ** draw.uniform(1, 6), 1),
    )


def judged(seed: int, folder: Path) -> Verdict | None:
    """Size the fleet of a study, and simulate it with other seeds; None if nothing is feasible."""
    path = folder / "plan.spec"
    path.write_text(plan_of(seed))
    session = Session(path)
    (result,) = session.results.studies
    best = result.best
    if best is None:
        return None
    simulator = _simulator(session, best)
    count = best.instances[0].count
    holds = _holds(simulator, count)
    fewer = None if count == 1 else not _holds(simulator, count - 1)
    return Verdict(path.read_text(), count, holds, fewer)


def _simulator(session: Session, best: Configuration) -> Simulator:
    (planned,) = session.plan.studies
    known = evaluated(planned.tasks, Runner())
    load = best.load
    assert load is not None
    simulate = Simulate(arrival=Arrival(Process.POISSON, load.rate), requests=load.requests)
    return Simulator(subject_of(planned.study, simulate, best, 1, known), Events())


def _holds(simulator: Simulator, count: int) -> bool:
    """Say whether all limits hold with each of the seeds."""
    seen = [seen_under(simulator, Conditions(seed=s, counts=(count,))) for s in SEEDS]
    return all(objective.met for one in seen for objective in one.metrics.objectives)


def main() -> None:
    """Measure and print."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    found: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(found) < studies:
            verdict, seed = judged(seed, Path(folder)), seed + 1
            found += [] if verdict is None else [verdict]
    several = [v.breaks for v in found if v.breaks is not None]
    print(f"{len(found)} fleets of {sum(v.count for v in found) / len(found):.1f} instances")
    print(f"hold with {len(SEEDS)} other seeds: {_share([v.holds for v in found])} (goal 95 %)")
    print(f"one fewer of {len(several)} breaks: {_share(several)} (goal 80 %)")
    for verdict in [v for v in found if not v.holds][:3]:
        print(verdict.text)


def _share(values: list[bool]) -> str:
    return f"{sum(values) / max(1, len(values)):.1%}"


if __name__ == "__main__":
    main()
