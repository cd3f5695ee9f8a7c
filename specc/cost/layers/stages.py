"""What lies between pipeline stages."""

from collections.abc import Iterator

from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.operators.base import Operator
from specc.cost.operators.communication import Collective
from specc.cost.precision import HALF
from specc.cost.site import Site, communication


@frozen(eq=False, repr=False)
class Stages(Layers):
    """The hidden states on their way from stage to stage."""

    def operators(self, site: Site) -> Iterator[Operator]:
        """Yield a transfer for each two neighbouring stages."""
        pp, row = site.layout.pp, site.hidden * HALF
        if pp > 1:
            yield communication(
                "stage_send", Collective.SEND, row, 2, pp - 1, stride=site.layout.stage
            )
