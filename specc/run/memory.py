"""Memory of a device in every layout: does an engine start, and with which context?"""

from collections.abc import Iterator, Sequence

from attrs import astuple, evolve, frozen

from specc.engines import with_defaults
from specc.ir import CacheFormat, Deployment, Formats, Parallel, Phase, Quantisation, Workload
from specc.plan import Plan, Setup, Task
from specc.records import Record
from specc.run.evaluate import label_of, server_of
from specc.search.space import layouts
from specc.serving import choose_budget
from specc.units import Bytes, Tokens

SHORT = 2048  # tokens of a prompt where nothing is said of prompts: a step takes four of them
MOST_DEVICES = 4  # times as many are looked at, to say with how many an engine starts
_FEWER_BITS = (Quantisation.FP8, Quantisation.W8A8_DYNAMIC, Quantisation.W4A16)
_BITS = {Quantisation.BF16: 16, Quantisation.FP16: 16, Quantisation.W4A16: 4}  # others have 8


@frozen(kw_only=True, eq=False, repr=False)
class LayoutMemory(Record):
    """What a device of one layout holds when its engine has started.

    Attributes:
        memory: bytes that the engine sees.
        reserved: of these, what it keeps beside all else.
        activations: of the step with which it sizes its cache, of `budget` tokens.
        kv_cache: what is left for the cache; less than 0 if it is too little.
        cache_tokens: that the cache of a replica holds.
        longest_request: tokens of the longest request that is alone in it, up to `limit`.
        limit: tokens of a request that the engine or the model takes.
        needed: tokens that a request must be able to have for the engine to start, or to serve
            what the spec asks for.
    """

    deployment: str
    phase: str
    device: str
    devices: int
    layout: str
    budget: Tokens
    memory: Bytes
    weights: Bytes
    activations: Bytes
    reserved: Bytes
    kv_cache: Bytes
    cache_tokens: Tokens
    longest_request: Tokens
    limit: Tokens
    needed: Tokens

    @property
    def starts(self) -> bool:
        """Whether an engine starts that serves a request of `needed` tokens."""
        return self.longest_request >= self.needed

    @property
    def holds_limit(self) -> bool:
        """Whether it starts without a limit of its own on the context."""
        return self.longest_request >= self.limit


def memory_of_plan(
    plan: Plan, study: str | None = None, deployment: str | None = None
) -> list[tuple[Task, LayoutMemory]]:
    """Return the memory of every layout of a plan, each once.

    Args:
        plan: the plan; variants of a sweep that have the same memory count once.
        study: the name of the only study to look at.
        deployment: the name of the only deployment.
    """
    found: dict[tuple[object, ...], tuple[Task, LayoutMemory]] = {}
    for planned in plan.studies:
        for task in planned.tasks:
            own = (planned.study.name, task.deployment.name)
            if own == (study or own[0], deployment or own[1]):
                row = memory_of(task)
                found.setdefault(astuple(row), (task, row))
    return list(found.values())


def memory_of_deployment(deployment: Deployment) -> list[tuple[Task, LayoutMemory]]:
    """Return the memory of every layout of a deployment, whatever it serves.

    An engine without a limit on the context starts where its cache holds a block.
    """
    least = deployment.engine.max_model_length or deployment.engine.block_size
    workload = Workload(input=SHORT, output=deployment.engine.block_size, spans={})
    setup = Setup(workload, deployment, Phase.WHOLE)
    tasks = [Task(setup, layout) for layout in layouts(deployment).layouts]
    return [(task, evolve(memory_of(task), needed=least)) for task in tasks]


def memory_of(task: Task) -> LayoutMemory:
    """Return what a device holds for a task when its engine has started."""
    deployment, server = task.deployment, server_of(task)
    engine = with_defaults(deployment.engine, deployment.device.memory)
    budget = choose_budget(engine.chunk_budget, server)
    weights = server.weight_bytes
    at_start = server.at_start(budget, 1)
    tokens = server.cache_tokens(budget, 1)
    limit = deployment.longest_request
    mixture = server.mixture
    alone = task.phase is Phase.PREFILL
    longest = mixture.longest_input + 1 if alone else mixture.longest_context
    needed = deployment.engine.max_model_length or min(limit, longest)
    left = server.memory - server.reserved - float(at_start.total[0])
    return LayoutMemory(
        deployment=deployment.name,
        phase=task.phase.value,
        device=deployment.device.name,
        devices=deployment.size,
        layout=label_of(task, server.drafted),
        budget=budget,
        memory=server.memory,
        weights=weights,
        activations=round(float(at_start.activations[0])),
        reserved=server.reserved,
        kv_cache=round(left),
        cache_tokens=tokens,
        longest_request=min(tokens, limit),
        limit=limit,
        needed=needed,
    )


@frozen(eq=False, repr=False)
class Startable(Record):
    """The layouts of one phase of a deployment, and what to change if no engine starts."""

    rows: tuple[LayoutMemory, ...]
    remedies: tuple[str, ...]

    @property
    def starts(self) -> bool:
        """Whether an engine starts in any of them."""
        return any(row.starts for row in self.rows)


def by_phase(rows: Sequence[tuple[Task, LayoutMemory]]) -> list[Startable]:
    """Return the layouts of each phase of each deployment together, with the remedies."""
    groups: dict[tuple[str, str], list[tuple[Task, LayoutMemory]]] = {}
    for task, row in rows:
        groups.setdefault((row.deployment, row.phase), []).append((task, row))
    return [
        Startable(
            tuple(row for _, row in own),
            () if any(row.starts for _, row in own) else tuple(_remedies(own)),
        )
        for own in groups.values()
    ]


def something_starts(found: Sequence[Startable]) -> bool:
    """Say whether the engines of all phases of any deployment start."""
    names = {each.rows[0].deployment: True for each in found}
    for each in found:
        names[each.rows[0].deployment] &= each.starts
    return any(names.values())


def _remedies(rows: Sequence[tuple[Task, LayoutMemory]]) -> list[str]:
    """Say what would make an engine start where it starts in no layout: one change each.

    More devices in whatever layout, weights or a cache of fewer bits, a shorter context.
    """
    task, row = rows[0]
    deployment, needed = task.deployment, row.needed
    free = " without the sizes in 'parallel'" if _is_restricted(deployment) else ""
    said = [
        f"devices = {count}{free}, in the layout {layout}"
        for count, layout in _more_devices(task, needed)
    ]
    for quant in _fewer_bits(deployment):
        lighter = evolve(deployment, quant=quant)
        if _starts(lighter, task, needed):
            said.append(f"quant = {quant.value}")
        elif _starts(evolve(lighter, formats=_cache_alone(deployment)), task, needed):
            said.append(f"quant = {quant.value}, without formats of its parts")
    if deployment.formats.kv_cache is CacheFormat.BF16:
        has_fp8 = deployment.device.cube.fp8 is not None
        cache = CacheFormat.FP8 if has_fp8 else CacheFormat.INT8
        formats = evolve(deployment.formats, kv_cache=cache)
        if _starts(evolve(deployment, formats=formats), task, needed):
            said.append(f"formats {{ kv_cache = {cache.value} }}")
    longest = max(one.longest_request for _, one in rows)
    if longest:
        said.append(f"engine {{ max_model_length = {longest} tok }}, and no longer requests")
    return said


def _more_devices(task: Task, needed: Tokens) -> Iterator[tuple[int, str]]:
    """Yield the fewest devices beyond those that there are with which it starts, if any."""
    deployment = evolve(task.deployment, parallel=Parallel(spans={}))
    most = min(MOST_DEVICES * deployment.size, deployment.device.largest_group)
    first = deployment.size + (0 if _is_restricted(task.deployment) else 1)
    for count in range(first, most + 1):
        started = _starts(evolve(deployment, devices=count), task, needed)
        if started:
            yield count, started
            return


def _is_restricted(deployment: Deployment) -> bool:
    """Say whether a deployment tries some sizes only."""
    return deployment.parallel != Parallel(spans={})


def _fewer_bits(deployment: Deployment) -> Iterator[Quantisation]:
    bits = _BITS.get(deployment.usual_format, 8)
    for quant in _FEWER_BITS:
        possible = quant is not Quantisation.FP8 or deployment.device.cube.fp8 is not None
        if possible and _BITS.get(quant, 8) < bits:
            yield quant


def _cache_alone(deployment: Deployment) -> Formats:
    return Formats(kv_cache=deployment.formats.kv_cache, spans={})


def _starts(deployment: Deployment, like: Task, needed: Tokens) -> str:
    """Return the first layout in which an engine starts; empty if there is none."""
    setup = Setup(like.workload, deployment, like.phase)
    for layout in layouts(deployment).layouts:
        row = memory_of(Task(setup, layout, like.drafted))
        if row.longest_request >= needed:
            return row.layout
    return ""
