"""Layers of a known model, and the device that they lie on."""

import attrs

from specc import library
from specc.calibration.setting import Setting, deployment
from specc.cost.layers import Layers, layers_of
from specc.cost.site import Site
from specc.ir import Deployment, Layout

ONE = Layout(1, 1, 1)


def layers(model: str, kind: type[Layers]) -> Layers:
    """Return the layers of one kind that a model has."""
    (found,) = [part for part in layers_of(library.model(model)) if type(part) is kind]
    return found


def site(model: str, layout: Layout = ONE, drafted: int = 0, **changes) -> Site:
    """Return a device in bf16, with blocks of 128 tokens."""
    return Site.of(attrs.evolve(deployed(model, layout), **changes), layout, drafted)


def deployed(model: str, layout: Layout = ONE) -> Deployment:
    """Return a deployment on as many devices as a layout has."""
    return deployment(Setting(model, "atlas_800_a3_752t_die", layout.devices))
