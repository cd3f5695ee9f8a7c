"""The steady state against the simulated closed loop, on random configurations.

    python -m tests.bench.bench_steady [CASES] [SEED]

Models, layouts, lengths (32 to 32Ki tokens in, 8 to 4Ki out), budgets and numbers of places are
drawn at random, half of them with lengths of a range. What does not fit a cache, an engine or 600
clients is drawn again. Goals: throughput and TPOT within 5 % in the median and 12 % at p90, TTFT
within 25 % in the median.
"""

import random
import sys

import numpy as np
from attrs import frozen

from specc.calibration.setting import Setting, deployment
from specc.ir import LengthBin, Phase, Routing, Slo, Workload
from specc.results import Metrics
from specc.search.space import layouts
from specc.serving import Server, Steady
from specc.simulation.closed import Clients, serve_clients
from specc.simulation.instances import SimulatedInstance
from specc.simulation.requests import Requests
from tests.simulation import promised

MODELS = (
    "qwen3_8b",
    "qwen3_32b",
    "llama3_1_70b",
    "qwen3_30b_a3b",
    "qwen3_235b_a22b",
    "deepseek_v3",
)
MOST_CLIENTS = 600
GOALS = {"throughput": (0.05, 0.12), "tpot": (0.05, 0.12), "ttft": (0.25, None)}


@frozen(eq=False)
class Case:
    """A configuration: an instance with so many places, and the lengths of its requests."""

    name: str
    instance: SimulatedInstance
    steady: Steady
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    seed: int

    def simulated(self) -> Metrics:
        """Simulate as many clients as there are places."""
        generator = np.random.default_rng(self.seed)
        clients = self.instance.batch * self.instance.engines
        count = max(500, 5 * clients)
        none = np.zeros(count, np.int64)
        prompt, output = (generator.integers(*part, count) for part in (self.inputs, self.outputs))
        pool = self.instance.pool(Routing.ENGINE, self.inputs[1] + self.outputs[1])
        outcome = serve_clients(pool, Requests(none, prompt, none, output, none), Clients(clients))
        return outcome.metrics(promised(Slo()))

    def errors(self) -> dict[str, float]:
        """Return the logarithm of the closed form over the simulation, metric by metric."""
        seen, row = self.simulated(), self.steady.evaluate(np.array([self.instance.batch])).row(0)
        pairs = {
            "throughput": (row["throughput"], seen.throughput),
            "tpot": (row["tpot"], seen.tpot.mean if seen.tpot else None),
            "ttft": (row["ttft"], seen.ttft.mean if seen.ttft else None),
        }
        return {n: float(np.log(a / b)) for n, (a, b) in pairs.items() if a and b}


def case_of(seed: int) -> Case | None:
    """Draw a configuration; None if it does not fit."""
    draw = random.Random(seed)
    model, devices = draw.choice(MODELS), 2 ** draw.randrange(6)
    plan = deployment(Setting(model, "atlas_800_a3_752t_die", devices, "w8a8_dynamic"))
    space = layouts(plan).layouts
    if not space:
        return None
    layout = draw.choice(space)
    prompt, output = round(2 ** draw.uniform(5, 15)), round(2 ** draw.uniform(3, 12))
    budget, places = draw.choice((2048, 4096, 8192, 16384)), int(2 ** draw.uniform(0, 9))
    inputs, outputs = (prompt, prompt + 1), (output, output + 1)
    if draw.random() < 0.5:
        inputs = (max(1, prompt // 2), prompt + prompt // 2 + 1)
        outputs = (max(1, output // 2), output + output // 2 + 1)
    one = inputs[1] - inputs[0] == 1
    rows = () if one else tuple(_rows(inputs, outputs))
    workload = Workload(input=prompt, output=output) if one else Workload(requests=rows)
    server = Server.of(plan, layout, workload)
    places = max(1, min(places, server.largest_batch - 1, budget - 1))
    if server.largest_batch < 2 or places * server.batches > MOST_CLIENTS:
        return None
    instance = SimulatedInstance(
        server, plan.engine, Phase.WHOLE, places, budget, plan.longest_request
    )
    longest = inputs[1] + outputs[1]
    limits = instance.settings
    if -(-longest // limits.block) * places > limits.capacity or longest > instance.longest:
        return None
    steady = Steady(server, budget, instance.in_step, limits.async_scheduling)
    name = f"{model} {layout.label}, {places} places, {budget} budget, {inputs} in, {outputs} out"
    return Case(name, instance, steady, inputs, outputs, seed)


def _rows(inputs: tuple[int, int], outputs: tuple[int, int]) -> list[LengthBin]:
    """Cut a range of lengths in four, so that the closed form sees that they differ."""
    edges = [np.linspace(*part, 3).round().astype(int).tolist() for part in (inputs, outputs)]
    return [
        LengthBin(share=0.25, input=(a, max(b, a + 1)), output=(c, max(d, c + 1)))
        for a, b in zip(edges[0], edges[0][1:], strict=False)
        for c, d in zip(edges[1], edges[1][1:], strict=False)
    ]


def compared(cases: int, seed: int = 1) -> dict[str, list[tuple[float, str]]]:
    """Return the errors of so many configurations, metric by metric."""
    found: dict[str, list[tuple[float, str]]] = {name: [] for name in GOALS}
    done = 0
    while done < cases:
        case, seed = case_of(seed), seed + 1
        if case is not None:
            done += 1
            for name, error in case.errors().items():
                found[name].append((error, case.name))
    return found


def main() -> None:
    """Measure and print."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    found = compared(cases, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for name, errors in found.items():
        sizes = np.abs([error for error, _ in errors])
        median, p90 = np.quantile(sizes, (0.5, 0.9))
        bias = np.median([error for error, _ in errors])
        goals = " and ".join(f"{goal:.0%}" for goal in GOALS[name] if goal)
        print(
            f"{name:<11} {len(errors)} cases: {median:.1%} in the median, {p90:.1%} at p90 "
            f"(goal {goals}), bias {bias:+.1%}"
        )
        for error, case in sorted(errors, key=lambda pair: -abs(pair[0]))[:3]:
            print(f"    {error:+.2f} {case}")


if __name__ == "__main__":
    main()
