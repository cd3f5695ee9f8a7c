"""Search: the layouts a deployment may take, and the best batch size of each.

In: a deployment and a serving model. Out: candidates with their best batch, the pruned ones with
reasons, the infeasible ones with their nearest miss. It knows no hardware. Read `batch.py` first.
"""

from specc.search.batch import BatchSearch, exhaustive_batches, search_batch
from specc.search.goals import OPERATORS, Goals, bound_excess
from specc.search.space import Pruned, Space, layouts

__all__ = [
    "OPERATORS",
    "BatchSearch",
    "Goals",
    "Pruned",
    "Space",
    "bound_excess",
    "exhaustive_batches",
    "layouts",
    "search_batch",
]
