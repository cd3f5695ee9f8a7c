"""Rules of a study: a workload on deployments that are compared."""

from collections.abc import Iterator, Sequence

from specc.check.labels import label_of
from specc.check.rules.software import as_it_runs, limit_of
from specc.diagnostics import Diagnostic, Label
from specc.ir import Cut, Deployment, Mode, Phase, Study, Workload
from specc.ir.images import image_tokens


def named_twice(study: Study) -> Iterator[Diagnostic]:
    """A deployment is named once, and so is a server."""
    for kind, named in (("deployment", study.deployments), ("server", study.servers)):
        names = [each.name for each in named]
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield Diagnostic(
                "E0204",
                f"the study names the {kind} '{name}' twice",
                (label_of(study, f"{kind}s", ""),),
            )


def metrics_without_value(study: Study) -> Iterator[Diagnostic]:
    """A limit is on something that the requests have."""
    workload, simulate = study.workload, study.simulate
    traced = simulate is not None and simulate.arrival.trace is not None
    if traced:
        return
    for part in workload.parts:
        metrics = [bound.fact.partition(".")[0] for bound in part.slo.objectives]
        limited = [name for name in metrics if name in ("tpot", "itl")]
        if not limited or any(row.output[1] > 2 for row in part.bins):
            continue
        path = "requests" if part.requests else "output"
        yield Diagnostic(
            "E0418",
            f"outputs of one token have no {limited[0].upper()}",
            (
                label_of(part.slo, limited[0], "a limit on it", part),
                label_of(part, path, "one token is the first one", study),
            ),
            why="TPOT and ITL are times from one token to the next",
            help="remove the limit, or give outputs of two tokens or more",
        )


def without_deployments(study: Study) -> Iterator[Diagnostic]:
    """A study that does not name servers needs deployments."""
    if not study.servers and "deployments" not in study.spans:
        yield Diagnostic(
            "E0401",
            f"the study '{study.name}' lacks the field 'deployments'",
            (label_of(study, "", ""),),
        )


def empty(study: Study) -> Iterator[Diagnostic]:
    """A list of deployments names one."""
    if not study.deployments and "deployments" in study.spans:
        yield Diagnostic(
            "E0401", "the study names no deployment", (label_of(study, "deployments", "empty"),)
        )


def two_kinds(study: Study) -> Iterator[Diagnostic]:
    """Deployments are computed, servers are measured."""
    if study.deployments and study.servers:
        yield Diagnostic(
            "E0482",
            "a study compares deployments, or measured servers",
            (
                label_of(study, "deployments", "deployments"),
                label_of(study, "servers", "and servers"),
            ),
            help="write a study for each",
        )


def objectives(study: Study) -> Iterator[Diagnostic]:
    """A study has one objective."""
    for deployment in study.deployments[1:]:
        first = study.deployments[0]
        if deployment.objective is not first.objective:
            yield Diagnostic(
                "E0471",
                f"'{first.name}' and '{deployment.name}' maximize different things",
                (
                    label_of(study, "deployments", "compared here"),
                    label_of(first.search, "maximize", f"'{first.name}'", first),
                    label_of(deployment.search, "maximize", f"'{deployment.name}'", deployment),
                ),
                why="a study ranks all its candidates by one objective",
            )


def comparable(study: Study) -> Iterator[Diagnostic]:
    """Prefill alone yields prompt tokens, decode alone no first token: neither serves requests."""
    alone = (Mode.PREFILL_ONLY, Mode.DECODE_ONLY)
    first = study.deployments[0]
    for deployment in study.deployments[1:]:
        if deployment.mode is not first.mode and (deployment.mode in alone or first.mode in alone):
            yield Diagnostic(
                "E0472",
                f"'{first.name}' and '{deployment.name}' cannot be compared",
                (
                    label_of(study, "deployments", "compared here"),
                    label_of(first, "mode", f"{first.mode.value}"),
                    label_of(deployment, "mode", f"{deployment.mode.value}"),
                ),
                why="prefill_only counts tokens of prompts, decode_only has no first token",
                help="write a study for each",
            )


def currencies(study: Study) -> Iterator[Diagnostic]:
    """Prices of a study are in one currency."""
    prices = [i.device.price for i in study.instances]
    currencies = sorted({price.currency for price in prices if price})
    if len(currencies) > 1:
        yield Diagnostic(
            "E0473",
            f"the devices of the study are priced in {' and '.join(currencies)}",
            (label_of(study, "deployments", "compared here"),),
            why="specc knows no exchange rates",
        )


def images(study: Study, deployment: Deployment) -> Iterator[Diagnostic]:
    """Images need a model that reads them."""
    if deployment.model.vision is not None:
        return
    for part in study.workload.parts:
        if part.images is None:
            continue
        counted = deployment.model.other_parameters > 0
        yield Diagnostic(
            "E0474",
            f"what images cost on '{deployment.model.name}' is not known"
            if counted
            else f"'{deployment.model.name}' does not take images",
            (
                label_of(part.images, "", "images of a request", part),
                label_of(deployment, "model", "its encoder" if counted else "a text model"),
                label_of(study, "deployments", "together here"),
            ),
            why="its encoder counts in memory, but no plan runs it" if counted else "",
            help="choose a model with a vision encoder, or remove the images",
        )


def contexts(study: Study, deployment: Deployment) -> Iterator[Diagnostic]:
    """Requests fit the context of the model and of the engine."""
    workload = study.workload
    images = image_tokens(workload, deployment.model)
    for instance in deployment.all_instances:
        longest = instance.longest_request
        for prompt, output, labels in _longest(workload, images):
            if prompt + output > longest:
                context = prompt + output
                yield _too_long(workload, instance, study, context, labels)


def whole_prompts(study: Study, deployment: Deployment) -> Iterator[Diagnostic]:
    """Prompts fit the budget of a scheduler that takes each in one step."""
    engine = deployment.engine
    scheduler = engine.scheduler
    if scheduler is None or scheduler.loop is None or scheduler.loop.cut is not Cut.WHOLE:
        return
    images = image_tokens(study.workload, deployment.model)
    budget = as_it_runs(deployment, engine).chunk_budget
    for prompt, _, labels in _longest(study.workload, images):
        if budget is not None and prompt > budget:
            yield Diagnostic(
                "E0457",
                f"'{scheduler.value}' rejects a prompt of {prompt} tokens, "
                "longer than the chunk budget",
                (
                    *labels[:1],
                    limit_of(deployment, engine, "chunk_budget", f"at least {prompt} are needed"),
                    label_of(engine, "scheduler", "takes a prompt in one step"),
                ),
                help="raise 'chunk_budget', or write scheduler = prefill_first",
            )


def _too_long(
    workload: Workload,
    instance: Deployment,
    study: Study,
    context: int,
    labels: tuple[Label, ...],
) -> Diagnostic:
    limit = instance.engine.max_model_length
    if limit is None:
        model = instance.model
        return Diagnostic(
            "E0407",
            f"'{workload.name}' needs a context of {context} tokens, "
            f"'{model.name}' has {model.max_positions}",
            (*labels, label_of(study, "deployments", f"'{instance.name}' serves this model")),
            help="shorten the requests, or choose a model with a longer context",
        )
    return Diagnostic(
        "E0407",
        f"'{workload.name}' needs a context of {context} tokens, the engine takes {limit}",
        (*labels, label_of(instance.engine, "max_model_length", "this limit")),
        help="raise 'max_model_length', or shorten the requests",
    )


def _longest(
    workload: Workload, images: Sequence[int]
) -> Iterator[tuple[int, int, tuple[Label, ...]]]:
    """Yield the longest prompt and output of each bin, with their labels."""
    for part, more in zip(workload.parts, images, strict=True):
        with_images = " with its images" if more else ""
        upto = "up to " if part.requests else ""
        for row in part.bins:
            prompt, output = row.input[1] - 1 + more, row.output[1] - 1
            labels = (
                label_of(row, "input", f"{upto}{prompt} tokens of prompt{with_images}", part),
                label_of(row, "output", f"and {upto}{output} of output", part),
            )
            yield prompt, output, labels


def outputs(study: Study, deployment: Deployment) -> Iterator[Diagnostic]:
    """Instances that decode need something to decode."""
    decodes = Phase.DECODE in deployment.mode.phases
    if decodes and all(shape.output == 1 for shape in study.workload.shapes()):
        first = study.workload.parts[0]
        field = "requests" if first.requests else "output"
        yield Diagnostic(
            "E0475",
            "outputs of one token leave nothing to decode",
            (
                label_of(first, field, "one token, which prefill brings"),
                label_of(deployment, "mode", "instances that decode"),
                label_of(study, "deployments", "together here"),
            ),
            help="write mode = prefill_only",
        )


def limits(_study: Study, deployment: Deployment) -> Iterator[Diagnostic]:
    """A limit on what a mode does not have would never be broken."""
    if not deployment.search.limits:
        return
    from specc.ir.facts import fact

    for bound in deployment.search.limits:
        phases = deployment.mode.phases
        if len(phases) == 1 and phases[0] not in fact(bound.fact).phases:
            yield Diagnostic(
                "E0445",
                f"'{bound.fact}' does not apply to {phases[0].value}-only",
                (Label(bound.spans[""], "this limit"), label_of(deployment, "mode", "this mode")),
            )
