"""The requests of a simulation while they are served: what engines read and write of each."""

import numpy as np
from attrs import define

from specc.simulation.requests import REJECTED, Requests, Served
from specc.units import Tokens

Chunk = tuple[int, Tokens, Tokens]  # a request, its tokens that are done, its tokens in the step


@define
class Lives:
    """The requests of a simulation as lists, one entry each, and what has become of them.

    `known` are the tokens to compute before the next one comes: the prompt, and after a preemption
    also what was generated. `last` is the time of the latest token of a request that is out of
    the batch; `transferred` ones come with the cache of their prompt; `priority` 1 is first.
    """

    arrival: list[int]
    input: list[int]
    cached: list[int]
    output: list[int]
    known: list[int]
    generated: list[int]
    last: list[int]
    start: list[int]
    first: list[int]
    finish: list[int]
    preemptions: list[int]
    hits: list[int]
    transferred: list[bool]
    priority: list[int]
    hashes: "list[tuple[int, ...]] | None" = None
    block_tokens: int = 0
    seed: int = 0

    @classmethod
    def of(cls, requests: Requests) -> "Lives":
        """Return requests to which nothing has happened, or whose first token came elsewhere."""
        count = len(requests)
        elsewhere = requests.first_token
        prompt = requests.input.tolist()
        never = [REJECTED] * count
        return cls(
            arrival=requests.arrival.tolist(),
            input=prompt,
            cached=requests.cached.tolist(),
            output=requests.output.tolist(),
            known=list(prompt),
            generated=[0 if elsewhere is None else 1] * count,
            last=list(never) if elsewhere is None else elsewhere.tolist(),
            start=list(never),
            first=list(never) if elsewhere is None else elsewhere.tolist(),
            finish=list(never),
            preemptions=[0] * count,
            hits=[0] * count,
            transferred=[elsewhere is not None] * count,
            priority=[1] * count if requests.priority is None else requests.priority.tolist(),
            hashes=None if requests.blocks is None else [tuple(b) for b in requests.blocks],
            block_tokens=requests.block_tokens,
            seed=requests.seed,
        )

    def append(self, prompt: Tokens, output: Tokens, first_token: int, priority: int) -> None:
        """Add a request whose first token came elsewhere."""
        for column, value in (
            (self.arrival, REJECTED),
            (self.input, prompt),
            (self.cached, 0),
            (self.output, output),
            (self.known, prompt),
            (self.generated, 1),
            (self.last, first_token),
            (self.start, REJECTED),
            (self.first, first_token),
            (self.finish, REJECTED),
            (self.preemptions, 0),
            (self.hits, 0),
            (self.priority, priority),
        ):
            column.append(value)
        self.transferred.append(True)

    def served(self) -> Served:
        """Return what became of them."""
        columns = (self.start, self.first, self.finish, self.preemptions, self.hits)
        return Served(*(np.array(column, np.int64) for column in columns))


def work_of(chunks: list[Chunk]) -> tuple[Tokens, int]:
    """Return the new tokens of chunks, and their query-key pairs that causality leaves."""
    tokens = keys = 0
    for _, done, query in chunks:
        tokens += query
        keys += query * done + query * (query + 1) // 2
    return tokens, keys
