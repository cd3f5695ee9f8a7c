"""The cost model of one layout: a step table in, times and memory out."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

import numpy as np
from attrs import evolve, field, frozen

from specc.cost.layers import LAYERS, layers_of, operators
from specc.cost.memory import MemoryModel, StepMemory
from specc.cost.operators.base import Operator
from specc.cost.operators.communication import CollectiveOperator
from specc.cost.reference.rules import ReferenceRules
from specc.cost.rules.calibrated import CalibratedRules
from specc.cost.site import Site
from specc.cost.steps import Column, StepTable
from specc.cost.sums import OperatorSums, Sums, share_beyond
from specc.cost.times import StepTimes
from specc.ir import (
    Calibration,
    CalibrationData,
    Deployment,
    Device,
    Generation,
    Layout,
    Software,
)
from specc.records import Record

Rules = ReferenceRules | CalibratedRules
T = TypeVar("T")


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
    per_device: int = 1

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
            memory_model=rules.memory.of(site, layers, held),
            layout=layout,
            micro_batches=deployment.engine.micro_batches,
            two_streams=deployment.communication.two_streams and layout.ep > 1,
            per_device=deployment.engine.per_device,
        )

    @property
    def apart(self) -> "CostModel":
        """The same for an engine that prefills or decodes alone."""
        rules = self.rules.apart
        return self if rules is self.rules else evolve(self, rules=rules)

    @property
    def pools_budgets(self) -> bool:
        """Whether a step takes in prompts by the budgets of all replicas together.

        So does the published planner, whose rules say so; an engine has a queue for each replica.
        """
        return self.rules.pools_budgets

    def times(self, steps: StepTable) -> StepTimes:
        """Return the time of every step with its parts."""
        return times_of((self,), steps, (len(steps),), self._sums)[0]

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
                time = time.scaled(share_beyond(time.total, times[-1][1].total))
            times.append((operator, time))
        return times

    def pooled_seconds(self, steps: StepTable) -> Column:
        """Return the kernel seconds of each step that go on what replicas with shared experts pool.

        Where replicas bring different numbers of tokens, the kernels of a step take on each of them
        their own time, with these seconds at the mean of the tokens in place of those at its own.
        """
        return self._busy(steps).pooled

    def host_seconds(self, steps: StepTable) -> tuple[Column, Column]:
        """Return the seconds in which the host launches a step, and those between two steps.

        A step takes the longer of its kernels and the launching, and what is between steps.
        """
        return self.rules.host(self._launches, steps)

    def kernel_seconds(self, steps: StepTable) -> Column:
        """Return the seconds that the kernels of each step take, whatever the host takes."""
        return self._busy(steps).total

    def _busy(self, steps: StepTable) -> StepTimes:
        """Return the times that the kernels of each step keep the device busy."""
        sums = self._sums.of_steps(self.rules, self.computed(steps))[0]
        return self.rules.busy(self._kernels(sums, steps))

    @cached_property
    def _sums(self) -> OperatorSums:
        return OperatorSums.of((self.operators,))

    @cached_property
    def _launches(self) -> float:
        """Kernels that the host launches in a step."""
        return self.rules.launches(self.operators)

    def computed(self, steps: StepTable) -> StepTable:
        """Return what a device computes of steps at a time, for which operators are summed."""
        if self.two_streams:
            steps = _part(steps, 0.5)
        elif self.pipelines:
            steps = _part(steps, 1 / self._micro_batches(steps))
        return self._own_share(steps)

    def step_times(self, sums: Sums, steps: StepTable) -> StepTimes:
        """Return the times of steps from the sums of the operators that a device runs in them."""
        return self.rules.with_host(self._kernels(sums, steps), self._launches, steps)

    @property
    def cut(self) -> tuple[int, bool, int]:
        """How a step is cut up before a device computes it; equal for models that do it alike."""
        return self.layout.cp, self.two_streams, self.micro_batches if self.pipelines else 1

    @property
    def pipelines(self) -> bool:
        """Whether prompts pass the stages in micro-batches."""
        return self.layout.pp > 1 and self.micro_batches > 1

    def _kernels(self, sums: Sums, steps: StepTable) -> StepTimes:
        if self.two_streams:
            return self._shared(self._two_streams(sums), steps)
        whole = sums.times.scaled(self.unevenness)
        whole = evolve(whole, deviation=self._deviation(sums, self.unevenness))
        return self._shared(self._pipelined(whole, steps) if self.pipelines else whole, steps)

    def _shared(self, alone: StepTimes, steps: StepTable) -> StepTimes:
        """Return the kernels of a step beside those of the other engines of a device.

        While one waits for the host between its steps, kernels of the others run: a round of all
        takes their kernels, or the longest step alone.
        """
        if self.per_device == 1:
            return alone
        _, between = self.host_seconds(steps)
        waiting = between / np.maximum(alone.total, 1e-12)
        return alone.scaled(np.maximum(1.0, self.per_device - waiting))

    def _deviation(self, sums: Sums, unevenness: float = 1.0) -> Column:
        return self.rules.deviation(sums.classes, sums.total * unevenness)

    @property
    def unevenness(self) -> float:
        """Layers of the fullest pipeline stage, which all wait for, over the mean."""
        layers, stages = self.memory_model.model.layers, self.layout.pp
        return -(-layers // stages) * stages / layers

    def _micro_batches(self, steps: StepTable) -> Column:
        return np.where(steps.prefill.tokens > 0, self.micro_batches, 1)

    def _pipelined(self, one: StepTimes, steps: StepTable) -> StepTimes:
        """Prefill in micro-batches: the stages fill, then each adds a micro-batch.

        A decode step is whole: the batches of the other stages keep the pipeline full.
        """
        return one.scaled(1 + (self._micro_batches(steps) - 1) / self.layout.pp)

    def _two_streams(self, half: Sums) -> StepTimes:
        """Two halves of a step: one computes while the other exchanges tokens with experts.

        The longer of the two streams counts, and what of the shorter one has no partner at the
        ends of the step: one layer's worth.
        """
        layers = max((op.repeat for op in self.operators if op.exchanges), default=1)
        computed = half.total - half.exchanged
        longer, shorter = np.maximum(computed, half.exchanged), np.minimum(computed, half.exchanged)
        total = 2 * longer + shorter / layers
        scaled = half.times.scaled(total / np.maximum(half.total, 1e-12))
        return evolve(scaled, deviation=self._deviation(half))

    def _own_share(self, steps: StepTable) -> StepTable:
        """Context-parallel ranks share the tokens of a prompt."""
        cp = self.layout.cp
        return steps if cp == 1 else evolve(steps, prefill=steps.prefill.scaled(1 / cp))


def times_of(
    models: Sequence[CostModel],
    steps: StepTable,
    rows: Sequence[int],
    sums: OperatorSums | None = None,
) -> list[StepTimes]:
    """Return the times of steps in several layouts, whose operators are computed together.

    Args:
        models: cost models with the same rules, which cut steps alike (`CostModel.cut`).
        steps: the steps.
        rows: how many of them, from the first on, each model needs.
        sums: what adds up the operators of these models, if it is known.
    """
    sums = sums or OperatorSums.of([model.operators for model in models])
    found: list[list[StepTimes]] = [[] for _ in models]
    for start in range(0, max(*rows, 1), sums.rows_at_once):
        part = steps.rows(start, start + sums.rows_at_once)
        added = sums.of_steps(models[0].rules, models[0].computed(part))
        for model, most, own, times in zip(models, rows, added, found, strict=True):
            if most > start or not start:
                times.append(model.step_times(own, part).first(most - start))
    return [StepTimes.concatenate(times) for times in found]


def rules_of(deployment: Deployment) -> Rules:
    """Return the calibration that a deployment asks for, or the best that its device has.

    It is the same object for the same device: cost models with the same rules can be computed
    together.
    """
    device, data = deployment.device, deployment.fitted
    engine = deployment.engine
    return _rules(_Same(device), _Same(data), engine.generation, engine.software)


@frozen
class _Same(Generic[T]):
    """An object that equals itself alone."""

    value: T = field(eq=id)


@lru_cache(maxsize=64)
def _rules(
    device: _Same[Device],
    data: _Same[CalibrationData | None],
    generation: Generation,
    software: Software | None,
) -> Rules:
    if data.value is None:
        return ReferenceRules(device.value)
    return CalibratedRules.of(device.value, data.value, generation, software)


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
