"""A served run that was measured: what serves, the load, and what was measured."""

from collections.abc import Mapping

from attrs import field, frozen

from specc.calibration.served.layouts import ServedPart
from specc.ir import Deployment, Execution, Phase, Software, Workload
from specc.units import Tokens

Row = Mapping[str, str]


@frozen(kw_only=True, eq=False)
class Run:
    """A served run.

    Attributes:
        line: of the table, its header is line 1.
        deployment: what serves, with its drafts.
        parts: instances of one kind that do all, or those that prefill and those that decode.
        prompt, output: tokens of a request; `hit` is the share of the prompt in a prefix cache.
        alone: the phase, where it is measured without the other.
        clients, prompts: of a closed loop; no more than `rate` requests a second, if there is one.
        assumed: why the acceptance of drafts is not that of the row; "" if it is.
        measured: by metric, in tokens a second and in seconds.
        median: whether the TPOT is a median.
        shortest: length of the shortest requests over that of the longest; others lie between.
        grade: of the source: A for a table of measurements, B for the baseline of a test.
    """

    line: int
    row: Row
    software: Software | None
    execution: Execution
    deployment: Deployment
    parts: tuple[ServedPart, ...]
    prompt: Tokens
    output: Tokens
    hit: float
    clients: int
    prompts: int
    rate: float | None = None
    alone: Phase | None = None
    drafted: int = 0
    assumed: str = ""
    measured: Mapping[str, float] = field(factory=dict)
    median: bool = False
    grade: str = "?"
    shortest: float = 1.0

    @property
    def workload(self) -> Workload:
        """What is asked of the servers."""
        return Workload(input=self.prompt, output=self.output, prefix_hit=self.hit)
