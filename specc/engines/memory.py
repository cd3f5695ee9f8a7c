"""What an engine keeps of a device beside weights, KV cache and activations, part by part.

vLLM takes its share of the memory that the runtime shows, and gives the KV cache what weights, the
peak of a profiling step and what its libraries hold leave of it (v1/worker/gpu_worker.py,
vllm_ascend/worker/worker.py). What libraries hold is from logs; where there is none, from the
nearest one. Of other engines it is not known in parts.
"""

from attrs import frozen

from specc.engines.rules import rules_of
from specc.ir import Deployment, Layout, Software
from specc.records import Record
from specc.units import Bytes

_MIB, _GIB = 2**20, 2**30
USUAL_RESERVE = 10 * _GIB  # where no engine is named; that of the published planner


@frozen(kw_only=True, eq=False, repr=False)
class ReservedPart(Record):
    """A part of the memory that is kept, and where it is from."""

    name: str
    size: Bytes
    source: str


@frozen(kw_only=True, eq=False, repr=False)
class LibraryMemory(Record):
    """What libraries hold on a device of an engine.

    Attributes:
        runtime: without communication.
        graphs: captured graphs, where the engine counts them before it sizes the cache.
        buffers: of each communicator.
        dispatches: whether experts have a communicator of their own beside that of their exchange.
        sources: of `runtime`, `graphs` and `buffers`.
    """

    runtime: Bytes
    graphs: Bytes
    buffers: Bytes
    dispatches: bool
    sources: tuple[str, str, str]


_LIBRARIES: dict[Software, LibraryMemory] = {
    Software.VLLM_ASCEND: LibraryMemory(
        runtime=round(0.13 * _GIB),
        graphs=0,
        buffers=2 * 200 * _MIB,
        dispatches=True,
        sources=(
            "log in vllm-ascend pull request 8289 (one die of A3, Qwen3-0.6B): 0.13 GiB for "
            "non-torch memory",
            "graphs are captured after the cache is sized, outside of the share",
            "CANN 8.5, HCCL_BUFFSIZE: a communicator has twice 200 MB",
        ),
    ),
    Software.VLLM: LibraryMemory(
        runtime=round(0.2 * _GIB),
        graphs=round(0.36 * _GIB),
        buffers=round(1.79 * _GIB),
        dispatches=False,
        sources=(
            "log in vllm pull request 14447: non_torch_memory takes 0.20 GiB",
            "log in gpustack/runner pull request 251: estimated CUDA graph memory 0.36 GiB (two "
            "devices, 16 sizes)",
            "logs in vllm pull request 10511: 1.79 GiB more with two devices than with one (H100)",
        ),
    ),
}


def reserve_of(deployment: Deployment, layout: Layout) -> tuple[ReservedPart, ...]:
    """Return what the engine of an instance keeps of each device in a layout.

    What the spec says counts; else the share and the parts of the software, in the calibrated cost
    model; else `USUAL_RESERVE`.
    """
    engine, seen = deployment.engine, deployment.memory
    kept = _kept(deployment)
    parts = [kept]
    if engine.memory_utilization is None and engine.per_device > 1:
        left = seen - kept.size
        name = f"the other {engine.per_device - 1} on the device"
        parts.append(
            ReservedPart(name=name, size=left - left // engine.per_device, source="per_device")
        )
    held = _LIBRARIES.get(engine.software) if engine.software else None
    if held is not None and deployment.fitted is not None and engine.reserved_memory is None:
        parts += _of_libraries(held, layout)
    return tuple(part for part in parts if part.size or part is kept)


def _kept(deployment: Deployment) -> ReservedPart:
    """Return what no engine of a device takes."""
    engine, seen = deployment.engine, deployment.memory
    if engine.reserved_memory is not None:
        return ReservedPart(name="reserved_memory", size=engine.reserved_memory, source="spec")
    share, source = engine.memory_utilization, "spec"
    if share is None and deployment.fitted is not None and engine.software in _LIBRARIES:
        rules = rules_of(engine.software, engine.version)
        share, source = rules.utilization, rules.sources["utilization"]
    if share is None:
        name = "runtime, workspaces and fragmentation"
        return ReservedPart(name=name, size=USUAL_RESERVE, source="assumed")
    name = f"outside of the share of {share:.4g}"
    return ReservedPart(name=name, size=seen - int(seen * share), source=source)


def reserved_bytes(deployment: Deployment, layout: Layout) -> Bytes:
    """Return all of it, in bytes of a device."""
    return sum(part.size for part in reserve_of(deployment, layout))


def _of_libraries(held: LibraryMemory, layout: Layout) -> tuple[ReservedPart, ...]:
    runtime, graphs, buffers = held.sources
    count = communicators(layout, dispatches=held.dispatches)
    return (
        ReservedPart(name="runtime", size=held.runtime, source=runtime),
        ReservedPart(name="graph capture", size=held.graphs, source=graphs),
        ReservedPart(
            name=f"buffers of {count} communicator{'' if count == 1 else 's'}",
            size=count * held.buffers,
            source=buffers,
        ),
    )


def communicators(layout: Layout, *, dispatches: bool) -> int:
    """Return the groups of devices that a rank exchanges tensors in.

    Tensor and context parallelism, pipeline stages, the experts of a stage; with `dispatches` one
    more for the fused dispatch of experts (vllm_ascend/distributed/parallel_state.py: mc2).
    """
    experts = layout.ep * layout.moe_tp > 1
    groups = (layout.tp > 1, layout.cp > 1, layout.pp > 1, experts, experts and dispatches)
    return sum(groups)
