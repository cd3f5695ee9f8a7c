"""Rules of the mode of a deployment: what it needs, and what it has no use for."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic, Label
from specc.ir import Deployment, Engine, Mode, Phase

_BLOCKS = {Phase.PREFILL: "prefill", Phase.DECODE: "decode"}


def sizes(deployment: Deployment) -> Iterator[Diagnostic]:
    """Instances have devices, and a ratio of them needs a fleet."""
    if len(deployment.mode.phases) == 1:
        if deployment.devices is None:
            yield Diagnostic(
                "E0401",
                f"the deployment '{deployment.name}' lacks the field 'devices'",
                (label_of(deployment, "", ""),),
            )
        return
    for phase in deployment.mode.phases:
        if not deployment.instances(phase):
            block = _BLOCKS[phase]
            yield Diagnostic(
                "E0401",
                f"'{deployment.name}' does not say how many devices a {block} instance has",
                (label_of(getattr(deployment, block), "", "", deployment),),
                help=f"write {block} {{ devices = 8 }}, or 'devices' for both phases",
            )
    if deployment.mode is Mode.PD_RATIO and deployment.fleet is None:
        yield Diagnostic(
            "E0401",
            f"'{deployment.name}' does not say how large the fleet is",
            (label_of(deployment, "mode", "a ratio of instances needs a fleet"),),
            help="write fleet { devices = 64 }, or fleet { rate = 20 req/s } to ask for the size",
        )


def useless_blocks(deployment: Deployment) -> Iterator[Diagnostic]:
    """A block that the mode has no use for must not be ignored."""
    paired = len(deployment.mode.phases) == 2
    useless = [] if paired else ["prefill", "decode", "transfer"]
    if deployment.mode is Mode.DISAGGREGATED:
        useless.append("fleet")
    for name in useless:
        if name in deployment.spans:
            yield Diagnostic(
                "E0441",
                f"'{name}' has no effect in mode {deployment.mode.value}",
                (
                    Label(deployment.spans[name], "this block"),
                    label_of(deployment, "mode", "this mode"),
                ),
                help="write mode = pd_ratio"
                if name == "fleet"
                else "write mode = disaggregated or mode = pd_ratio",
            )


def useless_settings(deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """Nor must a setting of the engine."""
    whole = deployment.mode is Mode.AGGREGATED
    for name in ("scheduler", "step", "slack"):
        if name in engine.spans and not whole:
            yield _useless(deployment, engine, name, "a step loop of prefill and decode together")
    if deployment.mode is Mode.PREFILL_ONLY and "decode_batch" in engine.spans:
        yield _useless(deployment, engine, "decode_batch", "requests that decode")
    decodes_alone = deployment.mode is Mode.DECODE_ONLY or engine is deployment.decode.engine
    if decodes_alone and "chunk_budget" in engine.spans:
        yield _useless(deployment, engine, "chunk_budget", "prompts")
    if whole and engine.serving_cost:
        yield _useless(deployment, engine, "serving_cost", "separate prefill or decode instances")
    if deployment.mode is Mode.PREFILL_ONLY and engine.speculative is not None:
        block = engine.speculative
        yield Diagnostic(
            "E0441",
            "speculation does not apply to prefill-only instances",
            (label_of(block, "", "no effect here"), label_of(deployment, "mode", "this mode")),
        )


def _useless(deployment: Deployment, engine: Engine, name: str, place: str) -> Diagnostic:
    return Diagnostic(
        "E0441",
        f"'{name}' applies only to {place}",
        (
            label_of(engine, name, "no effect here", deployment),
            label_of(deployment, "mode", "in this mode"),
        ),
    )
