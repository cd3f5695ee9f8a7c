"""Which rules hold for a version of an engine: those of the nearest older version that was read."""

from typing import TypeVar

from attrs import frozen

from specc.engines.base import EngineHistory, MemoryClass, Sourced, VersionRules
from specc.engines.cann_recipes import CANN_RECIPES
from specc.engines.mindie import MINDIE
from specc.engines.sglang import SGLANG
from specc.engines.versions import release_of
from specc.engines.vllm import VLLM
from specc.engines.vllm_ascend import VLLM_ASCEND
from specc.ir import Admission, Layout, Software, Vendor
from specc.records import Record
from specc.units import Bytes, Tokens

T = TypeVar("T")

# In the order of `Software`.
ENGINES: tuple[EngineHistory, ...] = (VLLM, VLLM_ASCEND, MINDIE, SGLANG, CANN_RECIPES)


@frozen(kw_only=True, eq=False, repr=False)
class EngineRules(Record):
    """What an engine of a version does by default.

    Attributes:
        software: None for the rules that hold without one.
        version: whose rules these are; empty if the engine has no known versions.
        note: why it is not the version that was asked for; empty if it is.
        chunk_budget: new tokens of a step; None if there is no default that is known.
        max_sequences: sequences of a replica; None likewise.
        utilization: share of the memory of a device that it takes; None if that is not known.
        sources: where each of these is from, by the name of its field.
        async_with_stages: whether `async_scheduling` holds with pipeline parallelism too.
        hybrid_caching: whether `prefix_caching` holds for models with recurrent layers too.
        borrowed: fields that are not known, and are those of the newest vLLM.
    """

    software: Software | None
    version: str
    note: str
    admission: Admission
    prefix_caching: bool
    async_scheduling: bool
    chunk_budget: Tokens | None
    max_sequences: int | None
    utilization: float | None
    sources: dict[str, str]
    async_with_stages: bool = True
    hybrid_caching: bool = True
    borrowed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What a person calls the engine: `vllm_ascend 0.18.0`."""
        return f"{self.software.value} {self.version}".rstrip() if self.software else ""

    def name_of(self, field: str) -> str:
        """Return whose default a field has: that of the newest vLLM where it is not known."""
        if self.software is None or field in self.borrowed:
            return f"vllm {VLLM.versions[-1].read[-1]}"
        return self.name


def history_of(software: Software) -> EngineHistory:
    """Return what is known of an engine."""
    return next(engine for engine in ENGINES if engine.software is software)


def launch_problem(software: Software | None, layout: Layout) -> str:
    """Say why an engine does not launch a layout; empty if it does, or nothing is known of it."""
    if software is None:
        return ""
    for rule in history_of(software).launches or ():
        size, why = rule(layout)
        if size:
            return f"{size} cannot be launched: {software.value} {why}"
    return ""


def engines_for(vendor: Vendor | None, layout: Layout) -> tuple[Software, ...]:
    """Return the engines that are known to launch a layout on devices of a vendor."""
    return tuple(
        engine.software
        for engine in ENGINES
        if engine.launches is not None
        and (vendor is None or vendor in engine.vendors)
        and not launch_problem(engine.software, layout)
    )


def rules_of(
    software: Software | None, version: str = "", device_memory: Bytes | None = None
) -> EngineRules:
    """Return what an engine does by default.

    Args:
        software: None for the rules of the newest vLLM, without its defaults for batches.
        version: empty for the newest one known. Of one that was not read the nearest older one
            counts, and of one older than all the oldest; `note` then says so.
        device_memory: bytes of a device; None leaves out the defaults for batches.

    Raises:
        VersionError: the version is none.
    """
    history = history_of(software or Software.VLLM)
    row, read, note = _found(history, version if software is not None else "")
    batch = _class(row.batch, None if software is None else device_memory)
    facts: dict[str, Sourced[object]] = {
        "admission": row.admission,
        "prefix_caching": row.prefix_caching,
        "async_scheduling": row.async_scheduling,
        "chunk_budget": row.batch,
        "max_sequences": row.batch,
    }
    newest = VLLM.versions[-1]
    return EngineRules(
        software=software,
        version=read,
        note=note,
        admission=_known(row.admission, newest.admission),
        prefix_caching=_known(row.prefix_caching, newest.prefix_caching),
        async_scheduling=_known(row.async_scheduling, newest.async_scheduling),
        chunk_budget=batch.chunk_budget,
        max_sequences=batch.max_sequences,
        utilization=row.utilization.value,
        sources={
            name: f"{history.package} {read}".rstrip() + f", {fact.source}"
            for name, fact in {**facts, "utilization": row.utilization}.items()
        },
        async_with_stages=row.async_with_stages,
        hybrid_caching=row.hybrid_caching,
        borrowed=tuple(name for name, fact in facts.items() if fact.value is None),
    )


def _found(history: EngineHistory, version: str) -> tuple[VersionRules, str, str]:
    """Return the rules for a version, the version that was read, and a note if it is another."""
    known = [(read, row) for row in history.versions for read in row.read]
    name = history.software.value
    if not known:
        note = f"no version of {name} is known by its rules, so {version} is ignored"
        return history.versions[-1], "", note if version else ""
    newest, rules = known[-1]
    if not version:
        return rules, newest, ""
    wanted = release_of(version)
    older = [(read, row) for read, row in known if release_of(read) <= wanted]
    if not older:
        oldest, rules = known[0]
        return rules, oldest, f"{name} {version} is older than all that is known; {oldest} counts"
    read, rules = older[-1]
    if release_of(read) == wanted:
        return rules, read, ""
    return rules, read, f"{name} {version} is not known; {read}, the nearest older one, counts"


def _class(batch: Sourced[tuple[MemoryClass, ...]], memory: Bytes | None) -> MemoryClass:
    """Return the class of a device, the last whose bound it reaches."""
    if memory is None:
        return MemoryClass()
    reached = [each for each in batch.value or () if memory >= each.at_least]
    return reached[-1] if reached else MemoryClass()


def _known(fact: Sourced[T], common: Sourced[T]) -> T:
    value = common.value if fact.value is None else fact.value
    assert value is not None  # the newest vLLM is known
    return value
