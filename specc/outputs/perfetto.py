"""A simulation as a trace that Chrome's `about:tracing` and ui.perfetto.dev open."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from specc.outputs.material import Material

if TYPE_CHECKING:
    from specc.simulation.metrics import Outcome

_MICROSECOND = 10**6  # in picoseconds, in which a simulation counts
MOST_REQUESTS = 20_000  # requests that are drawn, the first ones
_STEPS, _REQUESTS = 1, 2  # threads of an engine


def write(material: Material) -> str:
    """Return the steps of every engine, its queue, batch and cache, and the life of requests.

    Of the simulation that was chosen in the first study.
    """
    outcome, name = material.outcome, material.results.studies[0].simulations[0].name
    assert outcome is not None
    events = [*_engines(outcome), *_requests(name, outcome, len(outcome.runs))]
    data = {"displayTimeUnit": "ms", "otherData": {"simulated": name}, "traceEvents": events}
    return json.dumps(data, separators=(",", ":")) + "\n"


def _engines(outcome: "Outcome") -> Iterator[dict[str, Any]]:
    from specc.simulation.engine import RUN_COLUMNS

    for number, (runs, capacity) in enumerate(zip(outcome.runs, outcome.capacity, strict=True)):
        yield _named(number, f"engine {number}")
        for row in runs.tolist():
            run = dict(zip(RUN_COLUMNS, row, strict=True))
            at = {"pid": number, "tid": _STEPS, "ts": run["start"] / _MICROSECOND}
            yield {
                "name": _name_of(run),
                "ph": "X",
                "dur": run["duration"] / _MICROSECOND,
                "args": {k: run[k] for k in ("steps", "batch", "context", "tokens")},
                **at,
            }
            share = 100 * run["used"] / capacity
            for counter, value in (
                ("waiting", run["waiting"]),
                ("decoding", run["batch"]),
                ("KV cache (%)", round(share, 3)),
            ):
                yield {"name": counter, "ph": "C", "args": {counter: value}, **at}


def _name_of(run: dict[str, int]) -> str:
    parts = []
    if run["tokens"]:
        parts.append(f"prefill {run['tokens']}")
    if run["batch"]:
        times = f"{run['steps']} × " if run["steps"] > 1 else ""
        parts.append(f"{times}decode {run['batch']}")
    return " + ".join(parts)


def _requests(name: str, outcome: "Outcome", pid: int) -> Iterator[dict[str, Any]]:
    from specc.simulation.requests import REJECTED

    yield _named(pid, f"requests of {name}")
    served, requests = outcome.served, outcome.requests
    columns = (requests.arrival, served.start, served.first, served.finish)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    lengths = zip(requests.input.tolist(), requests.output.tolist(), strict=True)
    for number, (times, (prompt, output)) in enumerate(zip(rows, lengths, strict=True)):
        if number >= MOST_REQUESTS:
            return
        arrival, start, first, finish = times
        phases = (("queue", arrival, start), ("prefill", start, first), ("decode", first, finish))
        for phase, begin, end in phases:
            if REJECTED in (begin, end):
                continue
            event = {"name": phase, "cat": "request", "id": number, "pid": pid, "tid": _REQUESTS}
            args = {"prompt": prompt, "output": output}
            yield {"ph": "b", "ts": begin / _MICROSECOND, "args": args, **event}
            yield {"ph": "e", "ts": end / _MICROSECOND, **event}


def _named(pid: int, name: str) -> dict[str, Any]:
    return {"name": "process_name", "ph": "M", "pid": pid, "args": {"name": name}}
