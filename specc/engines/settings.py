"""Settings of an engine as they hold: what was written, and for `auto` what its software does."""

from attrs import evolve, frozen

from specc.engines.rules import rules_of
from specc.ir import Admission, Engine, MeasuredServer, Model, Scheduler, SoftwareSettings
from specc.records import Record
from specc.units import Bytes, Tokens


@frozen(kw_only=True, eq=False, repr=False)
class Scheduling(Record):
    """How an engine schedules requests.

    Attributes:
        admission: which blocks must be free before a request starts.
        prefix_caching: whether computed blocks are found again.
        async_scheduling: whether a step is composed while the one before runs.
        long_prompt: most new tokens of one prompt in a step; None for no limit.
    """

    admission: Admission
    prefix_caching: bool
    async_scheduling: bool
    long_prompt: Tokens | None


def scheduling_of(
    settings: SoftwareSettings,
    scheduler: Scheduler | None,
    *,
    flat_hits: bool = False,
    model: Model | None = None,
    stages: int = 1,
    drafts: bool = False,
) -> Scheduling:
    """Return how an engine or a measured server schedules requests.

    Args:
        settings: the engine or the server.
        scheduler: of the simulated engine; None counts as decode_first.
        flat_hits: the workload sets a flat hit rate, which is instead of prefix caching.
        model: what it serves. Up to 0.24 vLLM caches no prefixes by default of a model with
            recurrent layers.
        stages: pipeline stages.
        drafts: tokens are drafted; a simulated step is composed when the one before has ended then.
    """
    rules = rules_of(settings.software, settings.version)
    caching, overlaps = settings.prefix_caching, settings.async_scheduling
    if caching is None:
        recurrent = model is not None and model.recurrent_layers > 0
        caching = rules.prefix_caching and not flat_hits
        caching = caching and (rules.hybrid_caching or not recurrent)
    if overlaps is None:
        as_vllm = scheduler in (None, Scheduler.DECODE_FIRST) and not takes_turns(settings)
        with_stages = stages == 1 or rules.async_with_stages
        overlaps = rules.async_scheduling and as_vllm and with_stages and not drafts
    return Scheduling(
        admission=settings.admission or rules.admission,
        prefix_caching=caching,
        async_scheduling=overlaps,
        long_prompt=settings.long_prefill_token_threshold,
    )


def takes_turns(settings: SoftwareSettings) -> bool:
    """Say whether sequences of a measured server take turns, as a step decodes only some."""
    if not isinstance(settings, MeasuredServer) or settings.decode_batch is None:
        return False
    return settings.decode_batch < min(settings.max_sequences, settings.chunk_budget)


def with_defaults(engine: Engine, device_memory: Bytes) -> Engine:
    """Return an engine with the chunk budget and the limit on sequences that its software has.

    Without a software, and where it has none that is known, they stay as they were written.
    """
    if engine.software is None:
        return engine
    rules = rules_of(engine.software, engine.version, device_memory)
    budget, sequences = engine.chunk_budget, engine.max_sequences
    return evolve(
        engine,
        chunk_budget=rules.chunk_budget if budget is None else budget,
        max_sequences=rules.max_sequences if sequences is None else sequences,
    )
