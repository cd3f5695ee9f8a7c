"""Rules between the fields of a block that is well typed by itself.

One file a subject; what a rule says about a code stands in `specc.diagnostics.rules`. The tuples
below are all rules, in the order in which they act.
"""

from collections.abc import Callable, Iterator
from typing import Any

from specc.check.rules import (
    capacity,
    device,
    engine,
    fleet,
    launch,
    model,
    modes,
    placement,
    search,
    server,
    simulation,
    software,
    speculation,
    study,
    workload,
)
from specc.diagnostics import Diagnostic
from specc.ir import Deployment, Device, Engine, MeasuredServer, Mode, Model, Study, Workload
from specc.ir.vocabulary import Node

# Called with the nodes that the comment beside a tuple names.
Check = Callable[..., Iterator[Diagnostic]]

REQUESTS: tuple[Check, ...] = (  # class of a workload, or a workload that has none
    workload.given_twice,
    workload.missing,
    workload.representative_without_bins,
    workload.mean_without_samples,
)
WORKLOAD: tuple[Check, ...] = (  # workload
    workload.confidence_in_nothing,
    workload.of_all_classes,
    workload.names_of_classes,
)
DEVICE: tuple[Check, ...] = (  # device
    device.visible_memory,
    device.corrections,
)
MODEL: tuple[Check, ...] = (  # model
    model.heads,
    model.layers,
    model.layers_with_experts,
    model.dense_layers,
    model.active_experts,
    model.indexer,
    model.parameters,
)
SERVER: tuple[Check, ...] = (  # server
    server.missing_kind,
    server.same_step,
    software.settings_of_server,
)
SOFTWARE: tuple[Check, ...] = (  # engine or server
    software.version_alone,
    software.no_version,
)
INSTANCE: tuple[Check, ...] = (  # each kind of instance of a deployment
    placement.devices,
    placement.formats_of_weights,
    placement.format_of_cache,
    placement.token_rate_of_int8,
    placement.micro_batches,
    placement.execution,
    placement.settings_of_experts,
    placement.calibration,
    launch.device,
    launch.sizes,
    launch.stages,
)
DEPLOYMENT: tuple[Check, ...] = (  # deployment
    modes.sizes,
    modes.useless_blocks,
    fleet.aimless,
    fleet.headroom_of_nothing,
    fleet.too_small,
    search.prices,
    search.currencies,
    search.rate_of_fewest_devices,
    search.relaxation,
)
STEP_LOOP: tuple[Check, ...] = (  # deployment in mode aggregated, engine
    engine.steps_without_scheduler,
    engine.turns,
    engine.slack,
    engine.chunk_budget,
)
ENGINE: tuple[Check, ...] = (  # deployment, engine
    modes.useless_settings,
    software.settings_of_engine,
    engine.memory,
    engine.sharing,
    engine.longest_request,
    engine.batches,
)
SPECULATION: tuple[Check, ...] = (  # deployment, block that has acceptance rates or drafts nothing
    speculation.too_few_rates,
    speculation.shares,
    speculation.rising_rates,
    speculation.source,
    speculation.draft_layers,
    speculation.vocabulary,
)
STUDY: tuple[Check, ...] = (  # study
    study.named_twice,
    study.without_deployments,
    study.metrics_without_value,
    study.two_kinds,
    study.empty,
)
SIMULATION: tuple[Check, ...] = (  # study, its simulation
    simulation.missing_rate,
    simulation.rate_given_twice,
    simulation.times_of_rates,
    simulation.duration,
    simulation.last_rate,
    simulation.idle,
    simulation.sessions_of_a_trace,
    simulation.prefixes,
    simulation.hit_rate,
    software.flat_hits,
    simulation.shortlist,
    simulation.images_of_servers,
    simulation.engines,
    simulation.blocks,
    simulation.system_prompt,
    simulation.classes_of_a_trace,
)
CAPACITY: tuple[Check, ...] = (  # study, its simulation, its capacity
    capacity.objectives,
    capacity.seeds,
    capacity.rate_of_a_trace,
    capacity.requests,
    capacity.rate_of_a_burst,
    capacity.rate_of_clients,
)
COMPARISON: tuple[Check, ...] = (  # study that has deployments
    study.objectives,
    study.comparable,
    study.currencies,
)
COMPARED: tuple[Check, ...] = (  # study, each of its deployments
    study.images,
    study.contexts,
    study.whole_prompts,
    study.limits,
    study.outputs,
)


def problems_of(node: Node) -> Iterator[Diagnostic]:
    """Yield what contradicts itself in a block of a file."""
    match node:
        case Model():
            yield from _all(MODEL, node)
        case Device():
            yield from _all(DEVICE, node)
        case Deployment():
            yield from _of_deployment(node)
        case Workload():
            for kind in node.parts:
                yield from _all(REQUESTS, kind)
            yield from _all(WORKLOAD, node)
        case MeasuredServer():
            yield from _all(SOFTWARE, node)
            yield from _all(SERVER, node)
        case Study():
            yield from _of_study(node)


def problems_of_capacity(node: Study) -> Iterator[Diagnostic]:
    """Yield why the capacity of a simulated study cannot be searched, if it is asked for."""
    if node.simulate is not None and node.capacity is not None:
        yield from _all(CAPACITY, node, node.simulate, node.capacity)


def _of_deployment(node: Deployment) -> Iterator[Diagnostic]:
    for phase in node.mode.phases:
        for instance in node.instances(phase):
            yield from _all(INSTANCE, instance)
    yield from _all(DEPLOYMENT, node)
    for own in (node.engine, node.prefill.engine, node.decode.engine):
        for one in own.each if own is not None else ():
            yield from _of_engine(node, one)


def _of_engine(node: Deployment, own: Engine) -> Iterator[Diagnostic]:
    yield from _all(SOFTWARE, own)
    if node.mode is Mode.AGGREGATED:
        yield from _all(STEP_LOOP, node, own)
    yield from _all(ENGINE, node, own)
    block = own.speculative
    if block is None:
        return
    missing = list(speculation.missing_rates(node, block))
    # Nothing more is to be said about rates that are not there.
    yield from missing or _all(SPECULATION, node, block)


def _of_study(node: Study) -> Iterator[Diagnostic]:
    yield from _all(STUDY, node)
    if node.simulate is None:
        yield from simulation.not_simulated(node)
        yield from simulation.rate_of_a_fleet(node)
    else:
        yield from _all(SIMULATION, node, node.simulate)
        yield from problems_of_capacity(node)
    if node.deployments:
        yield from _all(COMPARISON, node)
        for deployment in node.deployments:
            yield from _all(COMPARED, node, deployment)


def _all(rules: tuple[Check, ...], *nodes: Any) -> Iterator[Diagnostic]:
    for rule in rules:
        yield from rule(*nodes)
