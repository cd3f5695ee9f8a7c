"""The `reference` calibration: the flat roofline of the published Ascend planner.

t = max(matrix/(peak·ce) + vector/(peak_vector·ce), bytes/(bandwidth·me)) + launch, with one
compute efficiency ce and one memory efficiency me for everything. It is kept so that results can
be checked against msmodeling (commit 84fec85); it equals that planner to rounding, quirks
included: unquantised work runs at the fp16 peak whatever the format, prefill attention counts
the full rectangle, collectives are flat at one level. Two of its quirks are left out, as they
depend on chance: experts chosen round-robin from the first one, and fusions that padding breaks.
Published single steps are missed by 9.5 % (mean absolute) with these rules.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from attrs import frozen

from specc.cost.layers.base import Layers
from specc.cost.memory import MemoryModel
from specc.cost.operators.attention import AttentionPhase, EncoderAttention, LinearAttentionScan
from specc.cost.operators.base import Key, Operator, OperatorClass
from specc.cost.operators.communication import CollectiveOperator
from specc.cost.operators.dense import Elementwise
from specc.cost.precision import Format, peak
from specc.cost.reference.layers import PLANNER_LAYERS
from specc.cost.reference.links import collective_time, link
from specc.cost.reference.memory import PlannerMemory
from specc.cost.reference.operators import PlannerPrologue
from specc.cost.steps import Column, StepTable
from specc.cost.times import StepTimes
from specc.ir import Device
from specc.records import Record
from specc.units import FlopPerSecond, Seconds

# Mean absolute error of the same rules, as their planner publishes them with its benchmark cases:
# 19 single forward steps on Atlas servers (github.com/Ascend/msmodeling, benchmark cases).
STEP_ERROR = 0.095
# The standard deviation of a normal distribution with that mean absolute value.
STEP_DEVIATION = STEP_ERROR * math.sqrt(math.pi / 2)
STEP_ERROR_TEXT = (
    "The reference calibration is a flat roofline. On 19 published single forward steps measured "
    "on Atlas servers it is off by 9.5 % on average (median 8.1 %), on single kernels by 18 to "
    "70 %. It models no host overhead, no queueing and no interference of prefill with decode. "
    "Candidates that differ by less than that are not decided by this report."
)


@frozen(eq=False, repr=False)
class ReferenceRules(Record):
    """Times of operators on a device by the flat roofline."""

    layers: ClassVar[tuple[type[Layers], ...]] = PLANNER_LAYERS
    memory: ClassVar[type[MemoryModel]] = PlannerMemory
    pools_budgets: ClassVar[bool] = True

    device: Device

    def time(self, operator: Operator, steps: StepTable) -> StepTimes:
        """Return the time of one run of an operator in each step."""
        if isinstance(operator, CollectiveOperator):
            return self._communication(operator, steps)
        work = operator.work(steps)
        efficiency = self.device.reference.compute_efficiency
        matrix = work.matrix_flop / (self._matrix_peak(operator) * efficiency)
        vector = work.vector_flop / (self._vector_peak(operator) * efficiency)
        memory = self._memory_time(work.moved_bytes)
        by_memory = memory >= matrix + vector
        launch: Column = self._launch(operator) * (memory + matrix + vector > 0)
        return StepTimes.of(
            matrix=np.where(by_memory, 0.0, matrix),
            vector=np.where(by_memory, 0.0, vector),
            memory=np.where(by_memory, memory, 0.0),
            launch=launch,
            rows=len(steps),
        )

    def deviation(self, classes: Mapping[Key, Column], total: Column) -> Column:
        """Return that of the published steps, whatever a step consists of."""
        return np.full_like(total, STEP_DEVIATION)

    @property
    def apart(self) -> "ReferenceRules":
        """The rules of an engine that prefills or decodes alone: the same."""
        return self

    @property
    def request_time(self) -> float:
        """Seconds to a first token that are none of the engine's steps: none are known."""
        return 0.0

    @property
    def deviation_of_software(self) -> float:
        """What of the deviation the serving software adds: the two are not told apart."""
        return 0.0

    def with_host(self, times: StepTimes, launches: float, steps: StepTable) -> StepTimes:
        """Return the times as they are: these rules know no host."""
        return times

    def launches(self, operators: Sequence[Operator]) -> float:
        """Return the kernels that the host launches in a step: these rules know no host."""
        return 0.0

    def host(self, launches: float, steps: StepTable) -> tuple[Column, Column]:
        """Return the seconds in which the host launches kernels, and those between steps: none."""
        none = np.zeros(len(steps))
        return none, none

    def busy(self, times: StepTimes) -> StepTimes:
        """Return the times that kernels keep a device busy: as they are."""
        return times

    def _communication(self, operator: CollectiveOperator, steps: StepTable) -> StepTimes:
        held = operator.held_bytes(steps)
        path = link(self.device, operator.span)
        sent = collective_time(operator.collective, held, operator.group, path)
        moved = self._memory_time(operator.work(steps).moved_bytes)
        launch: Column = self.device.reference.collective_launch * (held > 0)
        busy = np.maximum(sent, moved) * (held > 0)
        return StepTimes.of(communication=busy, launch=launch, rows=len(steps))

    def _memory_time(self, moved_bytes: Column) -> Column:
        device = self.device
        return moved_bytes / (device.planned_bandwidth * device.reference.memory_efficiency)

    def _matrix_peak(self, operator: Operator) -> FlopPerSecond:
        return peak(operator.matrix_format, self.device.cube)

    def _vector_peak(self, operator: Operator) -> FlopPerSecond:
        full = isinstance(operator, Elementwise) and operator.vector_format is Format.FP32
        return self.device.vector.fp32 if full else self.device.vector.fp16

    def _launch(self, operator: Operator) -> Seconds:
        calibration = self.device.reference
        if isinstance(operator, PlannerPrologue):
            return calibration.cube_launch * operator.launches
        on_cube = operator.kind is not OperatorClass.VECTOR
        if isinstance(operator, LinearAttentionScan):
            on_cube = operator.phase is AttentionPhase.PREFILL
        # Attention of a vision encoder counts as launched on the vector unit.
        if isinstance(operator, EncoderAttention) or not on_cube:
            return calibration.vector_launch
        return calibration.cube_launch
