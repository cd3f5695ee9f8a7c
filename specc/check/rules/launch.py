"""Rules of what an engine can launch, where a deployment names its software.

What is known of engines is imported where a spec names one.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from attrs import evolve

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import Deployment, Layout, Parallel
from specc.ir.layout import size_name

_SIZES = ("pp", "cp", "dcp", "ep", "moe_tp", "moe_dp")


def device(deployment: Deployment) -> Iterator[Diagnostic]:
    """An engine runs on devices of some vendors."""
    software, vendor = deployment.engine.software, deployment.device.vendor
    if software is None or vendor is None:
        return
    from specc.engines import ENGINES, history_of

    if vendor not in history_of(software).vendors:
        others = (engine.software.value for engine in ENGINES if vendor in engine.vendors)
        yield Diagnostic(
            "E0440",
            f"{software.value} does not run on '{deployment.device.name}'",
            (
                label_of(deployment.engine, "software", "this engine"),
                label_of(deployment, "device", f"a device of {vendor.value}"),
            ),
            help=f"write software = {' or '.join(others)}",
        )


def sizes(deployment: Deployment) -> Iterator[Diagnostic]:
    """What is asked for can be launched, whatever the other sizes are."""
    software, parallel = deployment.engine.software, deployment.parallel
    if software is None or deployment.devices is None:
        return
    for name in _SIZES:
        asked = getattr(parallel, name) if name in parallel.spans else None
        problems = {size: _problem(deployment, name, size) for size in asked or () if size > 1}
        lost = {size: problem for size, problem in problems.items() if problem}
        if not lost:
            continue
        never = ", ".join(str(size) for size in lost)
        yield Diagnostic(
            "W0008" if len(lost) < len(asked or ()) else "E0447",
            f"{software.value} cannot launch {size_name(name)} = {never} on "
            f"{deployment.devices} devices",
            (
                label_of(parallel, name, "asked for here", deployment),
                label_of(deployment.engine, "software", "of this engine"),
            ),
            why=next(iter(lost.values())),
            help=f"leave '{name}' out: layouts that can be launched are tried then",
        )


def stages(deployment: Deployment) -> Iterator[Diagnostic]:
    """The documentation of an engine lists the models that it runs in pipeline stages."""
    software, model = deployment.engine.software, deployment.model
    if software is None or not model.architecture or max(deployment.parallel.pp or (1,)) == 1:
        return
    from specc.engines import history_of

    staged = history_of(software).staged
    if staged is not None and model.architecture not in staged:
        yield Diagnostic(
            "W0009",
            f"{software.value} does not list pipeline stages for '{model.name}'",
            (label_of(deployment.parallel, "pp", "stages are tried here", deployment),),
            why="its table of models has a mark for them at " + ", ".join(staged),
            help="try it before you rely on it, or leave 'pp' out",
        )


def _problem(deployment: Deployment, name: str, size: int) -> str:
    """Say why no layout with a size can be launched; empty if one can."""
    from specc.engines import launch_problem

    software, problems = deployment.engine.software, []
    for layout in _layouts(deployment, name, size):
        problems.append(launch_problem(software, layout))
        if not problems[-1]:
            return ""
    text = f"{size_name(name)} = "
    return next((p for p in problems if p.startswith(text)), problems[0]) if problems else ""


def _layouts(deployment: Deployment, name: str, size: int) -> Iterator[Layout]:
    """Yield layouts of the devices with a size, whatever divides the model.

    The other sizes are as by default, or as they are given: a message is about this one.
    """
    given: dict[str, Any] = {name: (size,)}
    for own in (Parallel(**given, spans={}), evolve(deployment.parallel, **given)):
        yield from _layouts_of(deployment, own)


def _layouts_of(deployment: Deployment, own: Parallel) -> Iterator[Layout]:
    devices, has_experts = deployment.size, deployment.model.experts is not None
    free = _divisors(devices)
    for tp, pp, cp in product(own.tp or free, own.pp or free, own.cp or free):
        if devices % (tp * pp * cp):
            continue
        dp, stage = devices // (tp * pp * cp), devices // pp
        for dcp, copies in product(own.dcp or _divisors(tp), own.moe_dp or (1,)):
            for ep in (own.ep or _divisors(stage)) if has_experts else (1,):
                split = stage // (ep * copies) if has_experts else 1
                whole = not has_experts or split * ep * copies == stage
                if whole and (own.moe_tp is None or split in own.moe_tp):
                    yield Layout(tp, pp, dp, ep, split, copies, cp, dcp)


def _divisors(of: int) -> tuple[int, ...]:
    return tuple(size for size in range(1, of + 1) if of % size == 0)
