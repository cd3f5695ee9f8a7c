"""Rules of a model: its sizes fit together.

Whether a parallel size divides them is asked of each kind of layer, in `specc/cost/layers`.
"""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import Model

MOST_PARAMETERS = 10**15


def heads(model: Model) -> Iterator[Diagnostic]:
    """Each key-value head serves as many query heads."""
    if model.attention_heads % model.kv_heads:
        yield Diagnostic(
            "E0421",
            f"{model.kv_heads} key-value heads do not divide {model.attention_heads} query heads",
            (
                label_of(model, "kv_heads", "key-value heads"),
                label_of(model, "attention_heads", "query heads"),
            ),
            why="each key-value head serves the same number of query heads",
        )


def layers(model: Model) -> Iterator[Diagnostic]:
    """Layers of all kinds together are the layers of the model."""
    if model.full_layers < 0 or model.attending_layers > model.layers:
        yield Diagnostic(
            "E0422",
            f"more layers are described than the {model.layers} that the model has",
            (label_of(model, "layers", "all layers"),),
            why="those with full, sliding, sparse or linear attention and with a state space are "
            "part of them",
        )
    if (model.mlp_layers or 0) > model.layers:
        yield Diagnostic(
            "E0422",
            f"{model.mlp_layers} layers have an MLP, but there are {model.layers}",
            (label_of(model, "mlp_layers", "layers with an MLP"),),
        )
    yield from _widths(model)


def _widths(model: Model) -> Iterator[Diagnostic]:
    """Widths of MLPs are whole numbers, one for each layer, and say nothing else than others do."""
    widths = model.mlp_widths
    if not widths:
        return
    with_mlp = sum(1 for width in widths if width)
    problem = ""
    if len(widths) != model.layers:
        problem = f"'mlp_widths' lists {len(widths)} layers, and the model has {model.layers}"
    elif any(width < 0 or width != int(width) for width in widths):
        problem = "'mlp_widths' lists a width that is no whole number of at least 0"
    elif model.mlp_layers not in (None, with_mlp):
        problem = f"'mlp_widths' has {with_mlp} layers with an MLP, 'mlp_layers' {model.mlp_layers}"
    elif model.intermediate_size and model.intermediate_size not in widths:
        problem = f"'mlp_widths' has no layer of 'intermediate_size', {model.intermediate_size}"
    if problem:
        yield Diagnostic(
            "E0422",
            problem,
            (label_of(model, "mlp_widths", "one width for each layer, 0 for none"),),
        )


def layers_with_experts(model: Model) -> Iterator[Diagnostic]:
    """Layers with experts are some of the layers."""
    if model.experts and model.expert_layers > model.layers:
        yield Diagnostic(
            "E0423",
            f"{model.expert_layers} layers have experts, but there are {model.layers}",
            (
                label_of(model.experts, "layers", "layers with experts", model),
                label_of(model, "layers", "all layers"),
            ),
        )


def dense_layers(model: Model) -> Iterator[Diagnostic]:
    """A layer without experts has a dense MLP."""
    drafts = model.draft_dense and model.draft_layers > 0 and not model.intermediate_size
    if drafts or (model.dense_layers > 0 and not (model.intermediate_size or model.mlp_widths)):
        yield Diagnostic(
            "E0424",
            f"{model.dense_layers or model.draft_layers} dense layers have no MLP width",
            (label_of(model, "layers", "all layers"),),
            help="give 'intermediate_size', or experts for every layer",
        )


def active_experts(model: Model) -> Iterator[Diagnostic]:
    """A token passes some of the experts."""
    if model.experts and model.experts.active > model.experts.choices:
        yield Diagnostic(
            "E0425",
            f"a token cannot use {model.experts.active} of {model.experts.choices} experts",
            (label_of(model.experts, "active", "more than there are", model),),
        )


def indexer(model: Model) -> Iterator[Diagnostic]:
    """An indexer needs a cache to pick from."""
    if model.indexer and not (model.latent or model.compressed):
        yield Diagnostic(
            "E0426",
            "an indexer picks tokens of a latent or compressed cache, and the model has neither",
            (label_of(model, "indexer", "this indexer"),),
        )


def parameters(model: Model) -> Iterator[Diagnostic]:
    """Sizes that are possible one by one may multiply to a model that is not."""
    if model.parameters > MOST_PARAMETERS:
        yield Diagnostic(
            "E0427",
            f"the model has {model.parameters:.1e} weights",
            (label_of(model, "hidden_size", "one of its sizes"),),
            why=f"a model of more than {MOST_PARAMETERS:.0e} weights does not exist",
            help="compare its sizes with the configuration of the checkpoint",
        )
