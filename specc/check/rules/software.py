"""Rules of serving software: its version, and settings of its scheduler.

What is known of engines is imported where a spec names one.
"""

from collections.abc import Iterator

from specc.check.labels import label_of, label_of_hits
from specc.diagnostics import Diagnostic, Label
from specc.ir import (
    Deployment,
    Engine,
    MeasuredServer,
    Mode,
    Scheduler,
    Simulate,
    SoftwareSettings,
    Study,
)

_OF_DECODE_FIRST = ("async_scheduling", "long_prefill_token_threshold")
_LIKE_VLLM = (None, Scheduler.DECODE_FIRST)


def version_alone(settings: SoftwareSettings) -> Iterator[Diagnostic]:
    """A version is one of a software."""
    if settings.version and settings.software is None:
        yield Diagnostic(
            "E0458",
            "a version, and no software",
            (label_of(settings, "version", "of which software?"),),
            help=f'write software = vllm_ascend; version = "{settings.version}"',
        )


def no_version(settings: SoftwareSettings) -> Iterator[Diagnostic]:
    """A version is made of numbers."""
    if settings.version and not _is_version(settings.version):
        yield Diagnostic(
            "E0459",
            f"'{settings.version}' is not a version",
            (label_of(settings, "version", ""),),
            help='write numbers, such as "0.18" or "0.18.0rc1"; leave it out for the newest',
        )


def settings_of_server(server: MeasuredServer) -> Iterator[Diagnostic]:
    """A measured server has settings that its scheduler knows."""
    from specc.engines import takes_turns

    yield from _unknown_to(server.scheduler, server)
    for name in _OF_DECODE_FIRST:
        if getattr(server, name) and takes_turns(server):
            yield Diagnostic(
                "E0450",
                f"'{name}' with sequences that take turns",
                (
                    label_of(server, name, "no effect here"),
                    label_of(server, "decode_batch", "fewer than run"),
                ),
                help="remove one of them",
            )


def settings_of_engine(deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """And so has an engine; one that prefills or decodes alone is simulated as decode_first."""
    yield from _unknown_to(engine.scheduler if deployment.mode is Mode.AGGREGATED else None, engine)


def _unknown_to(scheduler: Scheduler | None, settings: SoftwareSettings) -> Iterator[Diagnostic]:
    for name in _OF_DECODE_FIRST:
        if getattr(settings, name) and scheduler not in _LIKE_VLLM:
            yield Diagnostic(
                "E0450",
                f"'{name}' needs the scheduler decode_first",
                (
                    label_of(settings, name, "no effect here"),
                    label_of(settings, "scheduler", "with this"),
                ),
                help=f"write scheduler = decode_first, or remove '{name}'",
            )


def flat_hits(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """A flat hit rate is instead of a cache that is simulated."""
    workload, trace = study.workload, simulate.arrival.trace
    if simulate.sessions is not None or (trace is not None and trace.hashes is not None):
        return  # E0488
    fixed = workload.fixed_hits
    if fixed is None:
        return
    owners: list[SoftwareSettings] = [*study.servers, *(i.engine for i in study.instances)]
    for owner in owners:
        if owner.prefix_caching:
            yield Diagnostic(
                "E0499",
                "a fixed hit rate together with prefix caching",
                (
                    label_of(owner, "prefix_caching", "hits are simulated", study),
                    label_of_hits(fixed, "and fixed here", study),
                    label_of(simulate, "", "in this simulation", study),
                ),
                help="remove 'prefix_hit', or leave 'prefix_caching' out",
            )
            return


def as_it_runs(deployment: Deployment, engine: Engine) -> Engine:
    """Return an engine of a deployment with the defaults of its software, as far as known."""
    if engine.software is None or not _is_version(engine.version or "0"):
        return engine
    from specc.engines import with_defaults

    owners = (owner for owner in (deployment.prefill, deployment.decode) if owner.engine is engine)
    device = next((owner.device for owner in owners if owner.device), deployment.device)
    return with_defaults(engine, device.memory)


def limit_of(deployment: Deployment, engine: Engine, name: str, text: str) -> Label:
    """Point at a limit of an engine, or at the software that sets it by default."""
    if getattr(engine, name) is None and engine.software is not None:
        text = f"default of {engine.software.value}: {text}"
        return label_of(engine, "software", text, deployment)
    return label_of(engine, name, text, deployment)


def _is_version(version: str) -> bool:
    from specc.engines import VersionError, release_of

    try:
        release_of(version)
    except VersionError:
        return False
    return True
