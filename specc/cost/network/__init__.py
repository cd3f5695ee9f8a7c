"""What one forward step runs on one device: a list of operators, layer kind by layer kind.

In: a deployment and a layout. Out: the operators in the order they run. `site.py` has the small
operators that layers share; read `attention.py` and `mlp.py` for the kinds of layers.
"""

from specc.cost.network.attention import attention
from specc.cost.network.ends import draft, embedding, encoder, output
from specc.cost.network.mlp import mlp
from specc.cost.network.site import Site, communication
from specc.cost.operators.base import Operator
from specc.cost.operators.communication import Collective
from specc.cost.precision import HALF
from specc.ir import Deployment, Layout


def operators(
    deployment: Deployment, layout: Layout, *, planner: bool, drafted: int = 0
) -> tuple[Operator, ...]:
    """Return the operators of one step.

    Args:
        deployment: model, formats and options.
        layout: parallel sizes.
        planner: list them as the reference planner does, not as an engine runs them.
        drafted: tokens that draft layers propose after the step.
    """
    site = Site.of(deployment, layout, planner)
    vision = site.model.vision
    return (
        *(encoder(site, vision) if vision else ()),
        *embedding(site),
        *attention(site),
        *mlp(site),
        *_stages(site),
        *output(site),
        *draft(site, drafted),
    )


def _stages(site: Site) -> tuple[Operator, ...]:
    """The hidden states on their way from stage to stage."""
    pp = site.layout.pp
    if pp == 1:
        return ()
    return (
        communication(
            "stage_send", Collective.SEND, site.hidden * HALF, 2, pp - 1, stride=site.layout.stage
        ),
    )


__all__ = ["Site", "operators"]
