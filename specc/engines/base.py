"""What a table of versions is made of."""

from typing import Generic, TypeVar

from attrs import frozen

from specc.engines.layouts import LaunchRule
from specc.ir import Admission, Software, Vendor
from specc.records import Record
from specc.units import Bytes, Tokens

T_co = TypeVar("T_co", covariant=True)


@frozen(eq=False, repr=False)
class Sourced(Record, Generic[T_co]):
    """A fact with its source.

    Attributes:
        value: None if it is not known: then the rule of the newest vLLM holds.
        source: file of the software, and what it says there.
    """

    value: T_co | None
    source: str


@frozen(kw_only=True, eq=False, repr=False)
class MemoryClass(Record):
    """Defaults of an engine on devices from so much memory on.

    Attributes:
        at_least: bytes of a device.
        chunk_budget: new tokens of a step; None if that is no constant.
        max_sequences: sequences of a replica; None if that is no constant.
    """

    at_least: Bytes = 0
    chunk_budget: Tokens | None = None
    max_sequences: int | None = None


@frozen(kw_only=True, eq=False, repr=False)
class VersionRules(Record):
    """What an engine does by default, from a version on.

    Attributes:
        read: the versions whose source was read and has these rules, oldest first.
        admission: which blocks must be free before a request starts.
        prefix_caching: whether computed blocks are found again.
        async_scheduling: whether a step is composed while the one before runs.
        batch: defaults by memory of the device, rising; empty if none is known.
        utilization: share of the memory of a device that it takes; None if it has no such share.
        async_with_stages: whether `async_scheduling` holds with pipeline parallelism too.
        hybrid_caching: whether `prefix_caching` holds for models with recurrent layers too.
    """

    read: tuple[str, ...]
    admission: Sourced[Admission]
    prefix_caching: Sourced[bool]
    async_scheduling: Sourced[bool]
    batch: Sourced[tuple[MemoryClass, ...]]
    utilization: Sourced[float] = Sourced(None, "not known")
    async_with_stages: bool = True
    hybrid_caching: bool = True


@frozen(kw_only=True, eq=False, repr=False)
class EngineHistory(Record):
    """The versions of an engine that are known, oldest first.

    Attributes:
        package: what the sources call it.
        vendors: on whose devices it runs.
        launches: what keeps it from launching a layout; None if that is not known.
        counts_all: whether its limit on sequences is of all replicas of an instance together, and
            how that is called; empty if it is of each.
        staged: architectures that its documentation lists with pipeline stages; None for all.
    """

    software: Software
    package: str
    vendors: tuple[Vendor, ...]
    versions: tuple[VersionRules, ...]
    launches: tuple[LaunchRule, ...] | None
    counts_all: str = ""
    staged: tuple[str, ...] | None = None
