"""Small workloads with what vLLM's own V1 scheduler did with them, and how to run them here.

`vllm_cases.json` has two of each of 14 families, a case a line: they were run with the scheduler,
the KV-cache manager and the request classes of vLLM 0.33.0, step by step with given step costs, in
five modes. `plain` is without prefix caching and without `scheduler_reserve_full_isl`, `reserve`
with the latter, `default` with both, `async` with asynchronous scheduling too, and `long_threshold`
is `default` with a `long_prefill_token_threshold`. Times are in ticks, whole numbers.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attrs import Factory, define

from specc.ir import Admission, Scheduler
from specc.results import EngineLimits
from specc.simulation.cluster import Pool
from specc.simulation.engine import Lives
from specc.simulation.requests import Requests

OWN = Path(__file__).parent / "vllm_cases.json"
SHARED = Path(__file__).parents[3] / "shared/reference/vllm_scheduler/cases.json.gz"
MODES = ("plain", "reserve", "default", "async", "long_threshold")
TIMES = ("start", "first", "finish")


@define
class Case:
    """A workload, and by mode the times of each request."""

    name: str
    given: dict[str, Any]
    vllm: dict[str, dict[str, list[int]]]

    @property
    def family(self) -> str:
        return self.name.partition("/")[0]


def own_cases() -> list[Case]:
    """The cases of this project."""
    lines = OWN.read_text(encoding="utf-8").splitlines()
    return [Case(**json.loads(line)) for line in lines]


def shared_cases() -> list[Case]:
    """All cases, where they are."""
    with gzip.open(SHARED) as file:
        found = json.load(file)
    return [Case(name, entry["case"], entry["vllm"]) for name, entry in found.items()]


@define
class Ticks:
    """The step costs of a case."""

    given: dict[str, Any]
    longest: int
    _decode: dict[int, range] = Factory(dict)

    def decode(self, batch: int) -> range:
        each = self.given["d0"] + self.given["d1"] * batch
        if batch not in self._decode:
            self._decode[batch] = range(0, each * (self.longest + 2), each)
        return self._decode[batch]

    def mixed(self, tokens: int, keys: int, batch: int, context: int) -> int:
        given = self.given
        ticks = given["p0"] + given["p1"] * tokens + given["p2"] * keys
        if batch:
            return ticks + given["d0"] + given["d1"] * batch
        return ticks if given["p0"] else ticks + given["d0"]


def requests_of(case: Case) -> Requests:
    """The requests, with a name for each block of prompt and output by all before its end."""
    rows, block = case.given["requests"], case.given["block"]
    names: dict[Any, int] = {}
    return Requests(
        arrival=np.array([row[0] for row in rows]),
        input=np.array([row[2] for row in rows]),
        cached=np.zeros(len(rows), np.int64),
        output=np.array([row[3] for row in rows]),
        bin=np.zeros(len(rows), np.int64),
        blocks=[tuple(_hashes(row[1], block, names)) for row in rows],
        block_tokens=block,
    )


def _hashes(pieces: list[tuple[str, int]], block: int, names: dict[Any, int]) -> Iterator[int]:
    tokens = [(name, place) for name, count in pieces for place in range(count)]
    before = -1
    for start in range(0, len(tokens) // block * block, block):
        key = before, tuple(tokens[start : start + block])
        before = names.setdefault(key, len(names))
        yield before


def limits_of(case: Case, mode: str) -> EngineLimits:
    """The engine that a mode is."""
    given = case.given
    caching = mode in ("default", "async", "long_threshold")
    return EngineLimits(
        scheduler=Scheduler.DECODE_FIRST,
        budget=given["budget"],
        limit=given["seqs"],
        admission=given["seqs"],
        decode_batch=given["seqs"],
        capacity=given["blocks"],
        block=given["block"],
        longest=max(prompt + output for _, _, prompt, output in given["requests"]) + 1,
        start=Admission.FIRST_CHUNK if mode == "plain" else Admission.WHOLE_PROMPT,
        prefix_caching=caching,
        async_scheduling=mode == "async",
        long_prompt=given["long_threshold"] if mode == "long_threshold" else 0,
    )


def simulated(case: Case, mode: str) -> dict[str, list[int]]:
    """The times of each request here."""
    limits, requests = limits_of(case, mode), requests_of(case)
    engine = Pool(limits, Ticks(case.given, limits.longest)).engine(Lives.of(requests))
    for number in range(len(requests)):
        engine.submit(number)
    engine.advance()
    return {name: getattr(engine.lives, name) for name in TIMES}


def measured(case: Case, mode: str) -> dict[str, list[int]]:
    """The times of each request in vLLM."""
    return {name: case.vllm[mode][name] for name in TIMES}
