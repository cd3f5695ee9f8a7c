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
    if model.mlp_widths and len(model.mlp_widths) != model.layers:
        yield Diagnostic(
            "E0422",
            f"'mlp_widths' lists {len(model.mlp_widths)} layers, and the model has {model.layers}",
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
    if model.dense_layers > 0 and not (model.intermediate_size or model.mlp_widths):
        yield Diagnostic(
            "E0424",
            f"{model.dense_layers} dense layers have no MLP width",
            (label_of(model, "layers", "all layers"),),
            help="give 'intermediate_size', or experts for every layer",
        )


def active_experts(model: Model) -> Iterator[Diagnostic]:
    """A token passes some of the experts."""
    if model.experts and model.experts.active > model.experts.count:
        yield Diagnostic(
            "E0425",
            f"a token cannot use {model.experts.active} of {model.experts.count} experts",
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
