"""Rules about how a deployment serves: modes, fleets, engines, speculation and limits."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic, Label
from specc.ir import (
    Deployment,
    Engine,
    Fleet,
    Mode,
    Objective,
    Phase,
    Scheduler,
    Speculative,
    Strategy,
)

_BLOCKS = {Phase.PREFILL: "prefill", Phase.DECODE: "decode"}


def problems_of(deployment: Deployment) -> Iterator[Diagnostic]:
    """Yield what contradicts itself in how a deployment serves."""
    yield from _sizes(deployment)
    yield from _useless_blocks(deployment)
    if deployment.fleet is not None:
        yield from _fleet(deployment, deployment.fleet)
    yield from _prices(deployment)
    yield from _search(deployment)
    for engine in _engines(deployment):
        yield from _engine(deployment, engine)


def _engines(deployment: Deployment) -> list[Engine]:
    own = [deployment.prefill.engine, deployment.decode.engine]
    return [deployment.engine, *(engine for engine in own if engine is not None)]


def _sizes(deployment: Deployment) -> Iterator[Diagnostic]:
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


def _useless_blocks(deployment: Deployment) -> Iterator[Diagnostic]:
    """A block that the mode has no use for must not be ignored."""
    paired = len(deployment.mode.phases) == 2
    useless = [] if paired else ["prefill", "decode", "transfer"]
    if deployment.mode is Mode.DISAGGREGATED:
        useless.append("fleet")
    for name in useless:
        if name in deployment.spans:
            yield Diagnostic(
                "E0406",
                f"'{name}' has no use in mode {deployment.mode.value}",
                (
                    Label(deployment.spans[name], "this block"),
                    label_of(deployment, "mode", "this mode"),
                ),
                help="write mode = pd_ratio"
                if name == "fleet"
                else "write mode = disaggregated or mode = pd_ratio",
            )


def _fleet(deployment: Deployment, fleet: Fleet) -> Iterator[Diagnostic]:
    if fleet.devices is None and fleet.rate is None:
        yield Diagnostic(
            "E0401",
            "the fleet has neither a size nor a rate",
            (label_of(fleet, "", "", deployment),),
            help="write devices = 64 for what it serves, or rate = 20 req/s for what that needs",
        )
    sizes = [
        min((i.size for i in deployment.instances(phase) if i.devices), default=0)
        for phase in deployment.mode.phases
    ]
    least = sum(sizes) * (1 + fleet.spare)
    if fleet.devices is not None and fleet.devices < least:
        each = " and ".join(str(size) for size in sizes)
        with_spare = f", {1 + fleet.spare} times with the spares" if fleet.spare else ""
        yield Diagnostic(
            "E0406",
            f"a fleet of {fleet.devices} devices is smaller than one "
            + ("pair of instances" if len(sizes) == 2 else "instance"),
            (label_of(fleet, "devices", f"at least {least} are needed", deployment),),
            why=f"instances have {each} devices{with_spare}",
        )


_PRICED = ("cost_per_million_tokens", "energy_per_thousand_tokens")


def _search(deployment: Deployment) -> Iterator[Diagnostic]:
    search = deployment.search
    if "slo_relax" in search.spans and search.strategy is not Strategy.LINEAR_EXPONENTIAL:
        yield Diagnostic(
            "E0406",
            "'slo_relax' is a setting of linear_exponential",
            (label_of(search, "slo_relax", "no use with another strategy"),),
            help="write strategy = linear_exponential, or take it out",
        )


def _prices(deployment: Deployment) -> Iterator[Diagnostic]:
    """What counts money or energy needs the price or the power of every device."""
    search = deployment.search
    facts = {bound.fact for bound in search.limits}
    needs = {
        "price": deployment.objective is Objective.THROUGHPUT_PER_COST
        or "cost_per_million_tokens" in facts,
        "power": "energy_per_thousand_tokens" in facts,
    }
    instances = [i for phase in deployment.mode.phases for i in deployment.instances(phase)]
    devices = {i.device.name: i.device for i in instances}
    wanted = next((b.spans[""] for b in search.limits if b.fact in _PRICED), None)
    for field, needed in needs.items():
        for device in devices.values() if needed else ():
            if getattr(device, field) is None:
                first = (
                    Label(wanted, "needs it")
                    if wanted is not None
                    else label_of(search, "maximize", "needs it", deployment)
                )
                unit = "12 CNY/h" if field == "price" else "400 W"
                yield Diagnostic(
                    "E0401",
                    f"the device '{device.name}' has no {field}",
                    (first, label_of(deployment, "device", "this device")),
                    help=f"write device mine extends {device.name} {{ {field} = {unit} }}",
                )
    currencies = {d.price.currency for d in devices.values() if d.price}
    for bound in search.limits:
        if bound.currency and currencies and currencies != {bound.currency}:
            yield Diagnostic(
                "E0406",
                f"the limit is in {bound.currency}, the prices in {', '.join(sorted(currencies))}",
                (Label(bound.spans[""], "this limit"),),
                why="specc knows no exchange rates",
            )
    if deployment.objective is Objective.FEWEST_DEVICES and (
        deployment.fleet is None or deployment.fleet.rate is None
    ):
        yield Diagnostic(
            "E0406",
            "'fewest_devices' needs a rate to serve",
            (label_of(search, "maximize", "for which rate?", deployment),),
            help="write fleet { rate = 20 req/s }",
        )


def _engine(deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    whole = deployment.mode is Mode.AGGREGATED
    for name in ("scheduler", "step", "slack"):
        if name in engine.spans and not whole:
            yield _useless(deployment, engine, name, "a step loop of prefill and decode together")
    if whole:
        yield from _loop(deployment, engine)
    if deployment.mode is Mode.PREFILL_ONLY and "decode_batch" in engine.spans:
        yield _useless(deployment, engine, "decode_batch", "requests that decode")
    decodes_alone = deployment.mode is Mode.DECODE_ONLY or engine is deployment.decode.engine
    if decodes_alone and "chunk_budget" in engine.spans:
        yield _useless(deployment, engine, "chunk_budget", "prompts")
    if whole and engine.serving_cost:
        yield _useless(deployment, engine, "serving_cost", "separate prefill or decode instances")
    if engine.memory_utilization is not None and "reserved_memory" in engine.spans:
        yield Diagnostic(
            "E0406",
            "'memory_utilization' and 'reserved_memory' both say what the engine may use",
            (
                label_of(engine, "memory_utilization", "a share"),
                label_of(engine, "reserved_memory", "and bytes"),
            ),
            help="keep one of them",
        )
    longest = deployment.model.max_positions
    if engine.max_model_length is not None and engine.max_model_length > longest:
        yield Diagnostic(
            "E0407",
            f"the engine allows {engine.max_model_length} tokens, "
            f"'{deployment.model.name}' has {longest}",
            (label_of(engine, "max_model_length", f"at most {longest}"),),
        )
    if (
        engine.decode_batch
        and engine.max_sequences
        and engine.decode_batch[0] > engine.max_sequences
    ):
        yield Diagnostic(
            "E0406",
            f"batches begin at {engine.decode_batch[0]}, the engine takes {engine.max_sequences}",
            (
                label_of(engine, "decode_batch", "these batches"),
                label_of(engine, "max_sequences", "this limit"),
            ),
        )
    if engine.speculative is not None:
        yield from _speculative(deployment, engine.speculative)


def _loop(deployment: Deployment, engine: Engine) -> Iterator[Diagnostic]:
    """Settings of the loop over steps, which the closed form would ignore."""
    for name in ("step", "slack"):
        if name in engine.spans and engine.scheduler is None:
            yield Diagnostic(
                "E0406",
                f"'{name}' is about the steps of a scheduler, and none is named",
                (label_of(engine, name, "no use without a scheduler"),),
                why="prompts that fit the chunk budget are served in closed form, without steps",
                help="write scheduler = decode_first_with_slack",
            )
    others = (Scheduler.DECODE_FIRST, Scheduler.PREFILL_FIRST)
    if engine.scheduler is Scheduler.PREFILL_THEN_DECODE:
        yield Diagnostic(
            "E0406",
            "no loop over steps prefills and decodes by turns",
            (label_of(engine, "scheduler", ""),),
            help="write scheduler = decode_first; a measured server may name this one",
        )
    if "slack" in engine.spans and engine.scheduler in others:
        yield Diagnostic(
            "E0406",
            f"'{engine.scheduler.value}' takes no slack",
            (label_of(engine, "slack", "no use here"), label_of(engine, "scheduler", "with this")),
            help="write scheduler = decode_first_with_slack, or take 'slack' out",
        )
    drafted = max(engine.speculative.tokens or (0,)) if engine.speculative else 0
    least = (engine.decode_batch[0] if engine.decode_batch else 1) * (1 + drafted)
    if engine.chunk_budget is not None and engine.chunk_budget < least:
        yield Diagnostic(
            "E0406",
            f"a step of {engine.chunk_budget} tokens cannot decode the smallest batch",
            (
                label_of(engine, "chunk_budget", f"at least {least} are needed"),
                label_of(engine, "decode_batch", "for these batches"),
            ),
            why="every sequence that decodes takes a token of a step, and one more for each draft",
        )


def _useless(deployment: Deployment, engine: Engine, name: str, place: str) -> Diagnostic:
    return Diagnostic(
        "E0406",
        f"'{name}' is about {place}",
        (
            label_of(engine, name, "no use here", deployment),
            label_of(deployment, "mode", "in this mode"),
        ),
    )


def _speculative(deployment: Deployment, block: Speculative) -> Iterator[Diagnostic]:
    most = max(block.tokens or (1,))
    if deployment.mode is Mode.PREFILL_ONLY:
        yield Diagnostic(
            "E0406",
            "prefill alone decodes nothing to speculate on",
            (label_of(block, "", "no use here"), label_of(deployment, "mode", "this mode")),
        )
    if most and not block.acceptance:
        yield Diagnostic(
            "E0401",
            "speculative decoding without acceptance rates",
            (label_of(block, "acceptance", "how often is a drafted token accepted?"),),
            why="they depend on model, draft and requests, and decide whether drafting pays; "
            "specc assumes none",
            help='measure them, and write acceptance = [0.8, 0.5] and source = "where"',
        )
        return
    if most > len(block.acceptance):
        yield Diagnostic(
            "E0406",
            f"acceptance rates for {len(block.acceptance)} of {most} drafted tokens",
            (
                label_of(block, "tokens", "drafted tokens"),
                label_of(block, "acceptance", "one rate for each is needed"),
            ),
        )
    for rate in block.acceptance:
        if not 0 <= rate <= 1:
            yield Diagnostic(
                "E0402",
                f"an acceptance rate of {rate:g} is no share",
                (label_of(block, "acceptance", "each is from 0 to 1"),),
            )
    if list(block.acceptance) != sorted(block.acceptance, reverse=True):
        yield Diagnostic(
            "E0406",
            "acceptance rates rise from one drafted token to the next",
            (label_of(block, "acceptance", "these rates"),),
            why="a token counts only if all before it were accepted, so rates are cumulative",
        )
    if block.acceptance and not block.source:
        yield Diagnostic(
            "E0401",
            "the acceptance rates have no source",
            (label_of(block, "acceptance", "measured where?"),),
            help='write source = "what was measured, on which requests"',
        )
    if block.draft is None and most and not deployment.model.draft_layers:
        yield Diagnostic(
            "E0406",
            f"'{deployment.model.name}' has no draft layers (MTP) to speculate with",
            (label_of(block, "", "asked for here"), label_of(deployment, "model", "this model")),
            help="name a draft model: draft = qwen3_0_6b, or take the block out",
        )
    if block.draft is not None and block.draft.vocab_size != deployment.model.vocab_size:
        yield Diagnostic(
            "E0406",
            f"the draft model has {block.draft.vocab_size} words, "
            f"'{deployment.model.name}' {deployment.model.vocab_size}",
            (label_of(block, "draft", "this draft"), label_of(deployment, "model", "this model")),
            why="a drafted token must be a token of the model",
        )
