"""The cost model of one layout: a step table in, times and memory out."""

import numpy as np
from attrs import evolve, frozen

from specc.cost.layers import LAYERS, layers_of, operators
from specc.cost.memory import MemoryModel, StepMemory
from specc.cost.operators.base import Operator
from specc.cost.operators.communication import CollectiveOperator
from specc.cost.reference.rules import ReferenceRules
from specc.cost.rules.calibrated import CalibratedRules
from specc.cost.site import Site
from specc.cost.steps import Column, StepTable
from specc.cost.times import StepTimes
from specc.ir import Calibration, Deployment, Layout
from specc.records import Record

# Rows evaluated together: the temporary columns then stay in the processor's cache.
_ROWS_AT_ONCE = 8192
_EXCHANGES = ("dispatch", "combine")

Rules = ReferenceRules | CalibratedRules


@frozen(eq=False, repr=False)
class CostModel(Record):
    """Latency and memory of steps of a deployment in one layout.

    Attributes:
        operators: what a step runs, in order.
        rules: the calibration.
        memory_model: what it holds.
        layout: the parallel layout.
        micro_batches: parts that a prefill step is cut into on its way through the stages.
        two_streams: whether two halves of a step take turns with computing and exchanging.
    """

    operators: tuple[Operator, ...]
    rules: Rules
    memory_model: MemoryModel
    layout: Layout
    micro_batches: int = 1
    two_streams: bool = False

    @classmethod
    def of(cls, deployment: Deployment, layout: Layout, drafted: int = 0) -> "CostModel":
        """Build the cost model of a deployment in a layout.

        `drafted` tokens are proposed by draft layers after each step.
        """
        rules, site = rules_of(deployment), Site.of(deployment, layout, drafted)
        layers = layers_of(deployment.model)
        # What a device holds is what an engine runs, whoever tells the time.
        held = listed = operators(site, layers)
        if rules.layers != LAYERS:
            listed = operators(site, layers_of(deployment.model, rules.layers))
        return cls(
            operators=listed,
            rules=rules,
            memory_model=MemoryModel.of(site, layers, held),
            layout=layout,
            micro_batches=deployment.engine.micro_batches,
            two_streams=deployment.communication.two_streams and layout.ep > 1,
        )

    @property
    def pools_budgets(self) -> bool:
        """Whether a step takes in prompts by the budgets of all replicas together.

        So does the published planner, whose rules say so; an engine has a queue for each replica.
        """
        return self.rules.pools_budgets

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
        return self.memory_model.of_steps(steps)

    def operator_times(self, steps: StepTable) -> list[tuple[Operator, StepTimes]]:
        """Return the time of one run of each operator, for tables of operators."""
        steps = self._own_share(steps)
        times: list[tuple[Operator, StepTimes]] = []
        for operator in self.operators:
            time = self.rules.time(operator, steps)
            if isinstance(operator, CollectiveOperator) and operator.overlapped and times:
                time = _hidden_behind(time, times[-1][1])
            times.append((operator, time))
        return times

    def pooled_seconds(self, steps: StepTable) -> Column:
        """Return the kernel seconds of each step that go on what replicas with shared experts pool.

        Where replicas bring different numbers of tokens, the kernels of a step take on each of them
        their own time, with these seconds at the mean of the tokens in place of those at its own.
        """
        own = evolve(self, operators=tuple(op for op in self.operators if not op.is_pooled))
        whole, rest = self.rules.busy(self._kernels(steps)), own.rules.busy(own._kernels(steps))
        pooled: Column = whole.total - rest.total
        return pooled

    def host_seconds(self, steps: StepTable) -> tuple[Column, Column]:
        """Return the seconds in which the host launches a step, and those between two steps.

        A step takes the longer of its kernels and the launching, and what is between steps.
        """
        return self.rules.host(self.operators, steps)

    def kernel_seconds(self, steps: StepTable) -> Column:
        """Return the seconds that the kernels of each step take, whatever the host takes."""
        return self.rules.busy(self._kernels(steps)).total

    def _times(self, steps: StepTable) -> StepTimes:
        return self.rules.with_host(self._kernels(steps), self.operators, steps)

    def _kernels(self, steps: StepTable) -> StepTimes:
        if self.two_streams:
            return self._two_streams(steps)
        if self.layout.pp > 1 and self.micro_batches > 1:
            return self._pipelined(steps)
        return self._device_times(steps)

    def _device_times(self, steps: StepTable) -> StepTimes:
        listed = self.operator_times(steps)
        total = StepTimes.sum(((op.repeat, time) for op, time in listed), len(steps))
        total = total.scaled(self.unevenness)
        return evolve(total, deviation=self.rules.deviation(listed, total.total))

    @property
    def unevenness(self) -> float:
        """Layers of the fullest pipeline stage, which all wait for, over the mean."""
        layers, stages = self.memory_model.model.layers, self.layout.pp
        return -(-layers // stages) * stages / layers

    def _pipelined(self, steps: StepTable) -> StepTimes:
        """Prefill in micro-batches: the stages fill, then each adds a micro-batch.

        A decode step is whole: the batches of the other stages keep the pipeline full.
        """
        parts = np.where(steps.prefill.tokens > 0, self.micro_batches, 1)
        one = self._device_times(_part(steps, 1 / parts))
        return one.scaled(1 + (parts - 1) / self.layout.pp)

    def _two_streams(self, steps: StepTable) -> StepTimes:
        """Two halves of a step: one computes while the other exchanges tokens with experts.

        The longer of the two streams counts, and what of the shorter one has no partner at the
        ends of the step: one layer's worth.
        """
        half = _part(steps, 0.5)
        listed = self.operator_times(half)
        whole = StepTimes.sum(((op.repeat, time) for op, time in listed), len(steps))
        exchanged = StepTimes.sum(
            ((op.repeat, time) for op, time in listed if op.name in _EXCHANGES), len(steps)
        ).total
        layers = max((op.repeat for op, _ in listed if op.name in _EXCHANGES), default=1)
        computed = whole.total - exchanged
        longer, shorter = np.maximum(computed, exchanged), np.minimum(computed, exchanged)
        total = 2 * longer + shorter / layers
        scaled = whole.scaled(total / np.maximum(whole.total, 1e-12))
        return evolve(scaled, deviation=self.rules.deviation(listed, whole.total))

    def _own_share(self, steps: StepTable) -> StepTable:
        """Context-parallel ranks share the tokens of a prompt."""
        cp = self.layout.cp
        return steps if cp == 1 else evolve(steps, prefill=steps.prefill.scaled(1 / cp))


def rules_of(deployment: Deployment) -> Rules:
    """Return the calibration that a deployment asks for, or the best that its device has."""
    device, data = deployment.device, deployment.fitted
    if data is None:
        return ReferenceRules(device)
    return CalibratedRules.of(device, data, deployment.engine.generation)


def calibration_name(deployment: Deployment) -> str:
    """Say which calibration holds, and for a fitted one from which device it is."""
    data = deployment.fitted
    if data is None:
        return Calibration.REFERENCE.value
    scaled = "" if data.device == deployment.device.name else f", scaled from {data.device}"
    return f"{Calibration.CALIBRATED.value} ({data.name}{scaled})"


def _part(steps: StepTable, share: float | Column) -> StepTable:
    """Return steps with a share of the sequences."""
    return evolve(
        steps,
        prefill=steps.prefill.scaled(share),
        decode=steps.decode.scaled(share),
        patches=steps.patches * share,
        patch_pairs=steps.patch_pairs * share,
    )


def _hidden_behind(time: StepTimes, before: StepTimes) -> StepTimes:
    """Return what is left of a time that runs while the operator before it does."""
    left = np.maximum(time.total - before.total, 0.0)
    return time.scaled(left / np.maximum(time.total, 1e-15))
