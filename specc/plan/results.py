"""Results: what was found, as plain data that a report, a file or a comparison is made of."""

from attrs import frozen

from specc.ir import Study
from specc.plan.lower import PrunedCandidate
from specc.search import Miss
from specc.units import Bytes, Seconds, Tokens


@frozen
class BoundShares:
    """What bounds a step; the shares of its time add up to 1."""

    compute: float
    memory: float
    communication: float
    launch: float


@frozen
class MemoryUse:
    """Bytes on one device in the tightest step."""

    weights: Bytes
    kv_cache: Bytes
    activations: Bytes
    reserved: Bytes
    available: Bytes
    available_at_end: Bytes


@frozen
class Band:
    """10th to 90th percentile of each metric; see `serving.definitions`."""

    ttft_p10: Seconds
    ttft_p90: Seconds
    tpot_p10: Seconds
    tpot_p90: Seconds
    throughput_p10: float
    throughput_p90: float


@frozen
class Point:
    """A candidate at one batch size; see `serving.definitions` for each metric."""

    batch: int
    concurrency: int
    ttft: Seconds
    tpot: Seconds
    throughput: float
    throughput_per_device: float
    decode_step: Seconds
    prefill_step: Seconds
    wave_requests: int
    bands: Band
    memory: MemoryUse
    prefill: BoundShares
    decode: BoundShares


@frozen
class Curve:
    """Rows of the search by rising batch, thinned to what a picture shows."""

    batch: tuple[int, ...]
    ttft: tuple[Seconds, ...]
    tpot: tuple[Seconds, ...]
    throughput: tuple[float, ...]
    feasible: tuple[bool, ...]


@frozen
class Candidate:
    """A layout of a deployment and the best that it can do.

    `point` is the best batch size; for an infeasible candidate the one nearest to feasibility,
    and `misses` tells which limits it breaks and by how much.
    """

    deployment: str
    device: str
    devices: int
    model: str
    quantisation: str
    tp: int
    pp: int
    dp: int
    cp: int
    dcp: int
    ep: int
    moe_tp: int
    moe_dp: int
    calibration: str
    parallel: str
    input: Tokens
    output: Tokens
    effective_input: Tokens
    chunk_budget: Tokens
    chunks: int
    feasible: bool
    point: Point
    misses: tuple[Miss, ...]
    stopped_by: str
    probes: int
    curve: Curve
    task: str


@frozen
class Verdict:
    """Whether an expectation is met; `seen` tells the values it was judged on."""

    expectation: str
    met: bool
    seen: str
    reason: str


@frozen
class StudyResult:
    """The answer to one study: candidates, the best first, then the infeasible ones."""

    study: Study
    candidates: tuple[Candidate, ...]
    pruned: tuple[PrunedCandidate, ...]
    verdicts: tuple[Verdict, ...] = ()

    @property
    def best(self) -> Candidate | None:
        """The best feasible candidate of all deployments."""
        return next((c for c in self.candidates if c.feasible), None)

    def best_of(self, deployment: str) -> Candidate | None:
        """The best feasible candidate of one deployment."""
        return next((c for c in self.candidates if c.feasible and c.deployment == deployment), None)


@frozen
class Results:
    """The results of all studies of a spec."""

    studies: tuple[StudyResult, ...]

    @property
    def feasible(self) -> bool:
        """Whether every study has a feasible candidate."""
        return all(study.best is not None for study in self.studies)

    @property
    def as_expected(self) -> bool:
        """Whether every expectation of every study is met."""
        return all(verdict.met for study in self.studies for verdict in study.verdicts)
