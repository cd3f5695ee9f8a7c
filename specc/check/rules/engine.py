"""Rules of an engine: its step loop, its memory and its limits."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.check.rules.software import as_it_runs, limit_of
from specc.diagnostics import Diagnostic
from specc.ir import Deployment, Engine


def steps_without_scheduler(_deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """Settings of the loop over steps, which the closed form would ignore."""
    for name in ("step", "slack"):
        if name in engine.spans and engine.scheduler is None:
            yield Diagnostic(
                "E0453",
                f"'{name}' needs a scheduler, and none is set",
                (label_of(engine, name, "no effect without a scheduler"),),
                why="prompts that fit the chunk budget are served in closed form, without steps",
                help="write scheduler = decode_first_with_slack",
            )


def turns(_deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """A measured server may prefill and decode by turns; the loop does not."""
    if engine.scheduler is not None and engine.scheduler.loop is None:
        yield Diagnostic(
            "E0454",
            "a deployment cannot use the scheduler 'prefill_then_decode'",
            (label_of(engine, "scheduler", ""),),
            help="write scheduler = decode_first; only a measured server takes this one",
        )


def slack(_deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """One scheduler gives the slack of a step to prefill."""
    scheduler = engine.scheduler
    if "slack" not in engine.spans or scheduler is None or scheduler.loop is None:
        return
    if not scheduler.loop.slack:
        yield Diagnostic(
            "E0455",
            f"'{scheduler.value}' takes no slack",
            (
                label_of(engine, "slack", "no effect here"),
                label_of(engine, "scheduler", "with this"),
            ),
            help="write scheduler = decode_first_with_slack, or remove 'slack'",
        )


def chunk_budget(deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """A step holds the smallest batch."""
    drafted = max(engine.speculative.tokens or (0,)) if engine.speculative else 0
    least = (engine.decode_batch[0] if engine.decode_batch else 1) * (1 + drafted)
    budget = as_it_runs(deployment, engine).chunk_budget
    if budget is not None and budget < least:
        yield Diagnostic(
            "E0456",
            f"a step of {budget} tokens cannot decode the smallest batch",
            (
                limit_of(deployment, engine, "chunk_budget", f"at least {least} are needed"),
                label_of(engine, "decode_batch", "for these batches"),
            ),
            why="each decoding sequence takes one token of the step, and one more for each "
            "drafted token",
        )


def memory(_deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """One field says what memory the engine may use."""
    if engine.memory_utilization is not None and "reserved_memory" in engine.spans:
        yield Diagnostic(
            "E0451",
            "'memory_utilization' and 'reserved_memory' both set the memory of the engine",
            (
                label_of(engine, "memory_utilization", "a share"),
                label_of(engine, "reserved_memory", "and bytes"),
            ),
            help="keep one of them",
        )


def sharing(deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """Engines on one device have parts of its memory, and prefill as well as decode."""
    share, count = engine.memory_utilization, engine.per_device
    if count == 1:
        return
    if share is not None and share * count > 1:
        yield Diagnostic(
            "E0448",
            f"{count} engines of {share:.4g} each take more than the memory of a device",
            (
                label_of(engine, "memory_utilization", "each takes this share"),
                label_of(engine, "per_device", "so many share a device"),
            ),
            help=f"write memory_utilization = {int(100 / count)}% or less, or leave it out",
        )
    if len(deployment.mode.phases) > 1:
        yield Diagnostic(
            "E0449",
            "engines that prefill or decode alone do not share devices",
            (
                label_of(engine, "per_device", "no effect here"),
                label_of(deployment, "mode", "in this mode"),
            ),
            help="remove 'per_device', or write mode = aggregated",
        )


def longest_request(deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """The engine takes no longer requests than the model."""
    longest = deployment.model.max_positions
    if engine.max_model_length is not None and engine.max_model_length > longest:
        yield Diagnostic(
            "E0407",
            f"the engine allows {engine.max_model_length} tokens, "
            f"'{deployment.model.name}' has {longest}",
            (label_of(engine, "max_model_length", f"at most {longest}"),),
        )


def batches(deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """The engine takes the smallest batch."""
    most = as_it_runs(deployment, engine).max_sequences
    if engine.decode_batch and most and engine.decode_batch[0] > most:
        yield Diagnostic(
            "E0452",
            f"batches begin at {engine.decode_batch[0]}, the engine takes {most}",
            (
                label_of(engine, "decode_batch", "these batches"),
                limit_of(deployment, engine, "max_sequences", "this limit"),
            ),
        )
