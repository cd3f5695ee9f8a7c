"""Kinds of layers: what a step runs, what it keeps in memory and what divides it, kind by kind.

In: a model and a `Site`, one device of a deployment in a layout. Out: the operators of one
forward step in the order in which they run. One file a kind, the only place that knows its shape:
`latent.py` has multi-head latent attention, `linear.py` gated linear attention, and so on.
`attention.py` and `indexer.py` are what several of them share. Read `base.py` first.
"""

from collections.abc import Iterable, Sequence
from importlib import import_module

from specc.cost.layers.base import Layers
from specc.cost.layers.draft import draft, draft_part
from specc.cost.layers.embedding import Embedding
from specc.cost.layers.head import Head
from specc.cost.layers.residual import ResidualStream
from specc.cost.layers.stages import Stages
from specc.cost.layers.vision import VisionEncoder
from specc.cost.operators.base import Operator
from specc.cost.site import Site
from specc.ir.model import LAYER_KINDS, Model


def _kind(name: str) -> type[Layers]:
    """Return what the file of a kind calls `KIND`."""
    kind: type[Layers] = import_module(f"{__name__}.{name}").KIND
    return kind


# In the order in which a step runs them.
LAYERS: tuple[type[Layers], ...] = (
    VisionEncoder,
    Embedding,
    *(_kind(name) for name in LAYER_KINDS),
    ResidualStream,
    Stages,
    Head,
)


def layers_of(model: Model, kinds: Iterable[type[Layers]] = LAYERS) -> tuple[Layers, ...]:
    """Return the layers of each kind that a model has."""
    found = (kind.of(model) for kind in kinds)
    return tuple(layers for layers in found if layers is not None)


def operators(site: Site, layers: Sequence[Layers]) -> tuple[Operator, ...]:
    """Return the operators of one step on one device, those of draft layers behind it."""
    step = [op for part in layers if part.count for op in part.operators(site)]
    return (*step, *draft(site, layers))


__all__ = ["LAYERS", "Layers", "draft_part", "layers_of", "operators"]
