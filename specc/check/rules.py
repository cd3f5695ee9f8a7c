"""Rules between the fields of a block that is well typed by itself."""

from collections.abc import Iterator

from specc.diagnostics import Diagnostic, Label
from specc.ir import Deployment, Model, Study, Workload
from specc.ir.vocabulary import Node


def problems_of(node: Node) -> Iterator[Diagnostic]:
    """Yield what contradicts itself in a block of a file."""
    match node:
        case Model():
            yield from _model(node)
        case Deployment():
            yield from _deployment(node)
        case Study():
            yield from _study(node)


def _label(node: Node, field: str, text: str, parent: Node | None = None) -> Label:
    """Point at a field; if it has its default at the block, and else at the block around that."""
    span = node.spans.get(field) or node.spans.get("")
    if span is None:
        assert parent is not None
        span = parent.spans[""]
    return Label(span, text)


def _model(model: Model) -> Iterator[Diagnostic]:
    if model.attention_heads % model.kv_heads:
        yield Diagnostic(
            "E0406",
            f"{model.kv_heads} key-value heads do not divide {model.attention_heads} query heads",
            (
                _label(model, "kv_heads", "key-value heads"),
                _label(model, "attention_heads", "query heads"),
            ),
            why="each key-value head serves the same number of query heads",
        )


def _deployment(deployment: Deployment) -> Iterator[Diagnostic]:
    device = deployment.device
    if deployment.devices > device.largest_group:
        yield Diagnostic(
            "E0406",
            f"{deployment.devices} devices are more than '{device.name}' can join",
            (_label(deployment, "devices", f"at most {device.largest_group}"),),
            why="its interconnect levels join "
            + " × ".join(str(level.size) for level in reversed(device.levels)),
        )
    if deployment.parallel.pp != (1,):
        yield Diagnostic(
            "E0501",
            "pipeline parallelism cannot be evaluated by this version",
            (_label(deployment.parallel, "pp", ""),),
            help="leave 'pp' out, or set it to 1",
        )


def _study(study: Study) -> Iterator[Diagnostic]:
    names = [deployment.name for deployment in study.deployments]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield Diagnostic(
            "E0204",
            f"the study names the deployment '{name}' twice",
            (_label(study, "deployments", ""),),
        )
    if not names:
        yield Diagnostic(
            "E0401", "the study names no deployment", (_label(study, "deployments", "empty"),)
        )
    yield from _objective(study)
    for deployment in study.deployments:
        yield from _context(study.workload, deployment, study)
        yield from _chunks(study.workload, deployment)


def _objective(study: Study) -> Iterator[Diagnostic]:
    for deployment in study.deployments[1:]:
        first = study.deployments[0]
        if deployment.search.maximize is not first.search.maximize:
            yield Diagnostic(
                "E0406",
                f"'{first.name}' and '{deployment.name}' maximize different things",
                (
                    _label(study, "deployments", "compared here"),
                    _label(first.search, "maximize", f"'{first.name}'", first),
                    _label(deployment.search, "maximize", f"'{deployment.name}'", deployment),
                ),
                why="a study ranks all its candidates by one objective",
            )


def _context(workload: Workload, deployment: Deployment, study: Study) -> Iterator[Diagnostic]:
    context = workload.input + workload.output
    longest = deployment.model.max_positions
    if context > longest:
        yield Diagnostic(
            "E0407",
            f"'{workload.name}' needs a context of {context} tokens, "
            f"'{deployment.model.name}' has {longest}",
            (
                _label(workload, "input", f"{workload.input} tokens of prompt"),
                _label(workload, "output", f"and {workload.output} of answer"),
                _label(study, "deployments", f"'{deployment.name}' serves this model"),
            ),
            help="shorten the requests, or choose a model with a longer context",
        )


def _chunks(workload: Workload, deployment: Deployment) -> Iterator[Diagnostic]:
    budget = deployment.engine.chunk_budget
    if budget is not None and budget < workload.effective_input:
        yield Diagnostic(
            "E0501",
            "a prompt of several chunks cannot be evaluated by this version",
            (
                _label(deployment.engine, "chunk_budget", f"a chunk takes {budget} tokens"),
                _label(workload, "input", f"prefill computes {workload.effective_input}"),
            ),
            help="raise 'chunk_budget' to the computed length of the prompt, or leave it out",
        )
