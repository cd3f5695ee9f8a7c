"""The cost model of one layout: a step table in, times and memory out."""

from attrs import frozen

from specc.cost import dense
from specc.cost.layout import Layout
from specc.cost.memory import MemoryModel, StepMemory
from specc.cost.operators import Operator
from specc.cost.reference import ReferenceRules
from specc.cost.steps import StepTable
from specc.cost.times import StepTimes
from specc.ir import Deployment

# Rows evaluated together: the temporary columns then stay in the processor's cache.
_ROWS_AT_ONCE = 8192


@frozen
class CostModel:
    """Latency and memory of steps of a deployment in one layout."""

    operators: tuple[Operator, ...]
    rules: ReferenceRules
    memory_model: MemoryModel

    @classmethod
    def of(cls, deployment: Deployment, layout: Layout) -> "CostModel":
        """Build the cost model of a deployment in a layout."""
        return cls(
            dense.operators(deployment.model, layout, deployment.quant),
            ReferenceRules(deployment.device),
            MemoryModel(deployment.model, layout, deployment.quant, deployment.engine.block_size),
        )

    def times(self, steps: StepTable) -> StepTimes:
        """Return the time of every step with its parts."""
        if len(steps) <= _ROWS_AT_ONCE:
            return self._times(steps)
        starts = range(0, len(steps), _ROWS_AT_ONCE)
        return StepTimes.concatenate(
            [self._times(steps.rows(start, start + _ROWS_AT_ONCE)) for start in starts]
        )

    def memory(self, steps: StepTable) -> StepMemory:
        """Return the memory of every step."""
        return self.memory_model.of(steps)

    def operator_times(self, steps: StepTable) -> list[tuple[Operator, StepTimes]]:
        """Return the time of one run of each operator, for tables of operators."""
        return [(operator, self.rules.time(operator, steps)) for operator in self.operators]

    def _times(self, steps: StepTable) -> StepTimes:
        parts = ((op.repeat, time) for op, time in self.operator_times(steps))
        return StepTimes.sum(parts, len(steps))
