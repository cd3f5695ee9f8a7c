"""The `calibrated` rules: a fitted form for each class of operators, with how sure it is."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, singledispatchmethod
from typing import ClassVar

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from specc.cost.layers import LAYERS, Layers
from specc.cost.memory import MemoryModel
from specc.cost.operators.attention import (
    Attention,
    AttentionPhase,
    EncoderAttention,
    LinearAttentionScan,
)
from specc.cost.operators.base import Key, Operator, OperatorClass
from specc.cost.operators.communication import CollectiveOperator
from specc.cost.operators.dense import Elementwise, Gather, Gemm
from specc.cost.operators.experts import RoutedExperts
from specc.cost.precision import Precision
from specc.cost.rules.attention import Heads, decode_time, prefill_time
from specc.cost.rules.experts import experts_time
from specc.cost.rules.gemm import gemm_time, quantisation_time
from specc.cost.rules.links import hierarchical_time, hops
from specc.cost.rules.machine import Machine
from specc.cost.rules.shapes import Shape
from specc.cost.steps import Column, StepTable
from specc.cost.times import StepTimes
from specc.ir import (
    CalibrationData,
    Device,
    ExpertsRule,
    Fit,
    Generation,
    GenerationRule,
    ServedRule,
    Software,
)
from specc.records import Record

_MEASURED_HEAD = 2 * 128  # key and value width of the heads that were measured
_MEASURED_STATE = 128 * 128  # of a head of linear attention


@frozen(eq=False, repr=False)
class CalibratedRules(Record):
    """Times of operators on a device, by the coefficients of a calibration."""

    layers: ClassVar[tuple[type[Layers], ...]] = LAYERS
    memory: ClassVar[type[MemoryModel]] = MemoryModel
    pools_budgets: ClassVar[bool] = False

    device: Device
    data: CalibrationData
    generation: GenerationRule
    machine: Machine
    served: ServedRule | None = None

    @classmethod
    def of(
        cls,
        device: Device,
        data: CalibrationData,
        generation: Generation,
        software: Software | None = None,
    ) -> "CalibratedRules":
        """Return the rules of a device by the coefficients of a calibration."""
        rule: GenerationRule = getattr(data, generation.value)
        served = None
        if data.served is not None:
            execution = "eager" if generation is Generation.EAGER else "graph"
            _, served = data.served.rule(software.value if software else "", execution)
        return cls(device, data, rule, Machine.of(device, data), served)

    def deviation(self, classes: Mapping[Key, Column], total: Column) -> Column:
        """Return the standard deviation of log(measured / predicted) of whole steps.

        Residuals of a class are shared by its operators, those of classes are independent.

        Args:
            classes: seconds of the operators of each class.
            total: seconds of the steps.
        """
        spreads = self._spreads
        variance = sum((spreads[key] * part) ** 2 for key, part in classes.items())
        steps_alone = self.deviation_of_software**2 + self.device.calibration_spread**2
        deviation: Column = np.sqrt(variance / np.maximum(total, 1e-12) ** 2 + steps_alone)
        return deviation

    @property
    def deviation_of_software(self) -> float:
        """What of the deviation of steps the serving software adds."""
        return self.generation.spread if self.served is None else self.served.spread

    @property
    def overhead(self) -> float:
        """Kernels of a step in the server over those of the step alone."""
        return 1.0 if self.served is None else self.served.overhead

    @cached_property
    def apart(self) -> "CalibratedRules":
        """The rules of an engine that prefills or decodes alone."""
        rule = self.data.served.apart if self.served and self.data.served else None
        return self if rule is None else evolve(self, served=rule)

    @property
    def request_time(self) -> float:
        """Seconds to a first token that are none of the engine's steps."""
        return 0.0 if self.served is None else self.served.request_time

    @cached_property
    def _spreads(self) -> dict[Key, float]:
        more = {False: 0.0, True: self.data.assumed_spread}
        return {
            (kind, quantised, assumed): math.hypot(self.fit(kind, quantised).spread, more[assumed])
            for kind in OperatorClass
            for quantised in (False, True)
            for assumed in (False, True)
        }

    def fit(self, kind: OperatorClass, quantised: bool) -> Fit:
        """Return how a class was fitted."""
        data = self.data
        fits = {
            OperatorClass.GEMM: (data.gemm_int8 if quantised else data.gemm).fit,
            OperatorClass.EXPERTS: (data.experts_int8 if quantised else data.experts).fit,
            OperatorClass.PREFILL_ATTENTION: data.prefill_attention.fit,
            OperatorClass.DECODE_ATTENTION: data.decode_attention.fit,
            OperatorClass.RECURRENCE: data.linear_attention.fit,
            OperatorClass.VECTOR: data.vector.fit,
            OperatorClass.COLLECTIVE: data.collectives.fit,
            OperatorClass.EXCHANGE: data.collectives.exchange_fit,
        }
        return fits[kind]

    def with_host(self, times: StepTimes, launches: float, steps: StepTable) -> StepTimes:
        """Add what the host and the server do beside kernels, of which so many are launched."""
        launching, gap = self.host(launches, steps)
        busy = self.busy(times)
        waiting = np.maximum(launching - busy.total, 0.0) + gap
        runs = steps.tokens > 0
        return evolve(
            busy,
            total=busy.total + waiting * runs,
            launch=busy.launch + waiting * runs,
        )

    def launches(self, operators: Sequence[Operator]) -> float:
        """Return the kernels that the host launches in a step."""
        return math.fsum(self._launches(op) * op.repeat for op in operators)

    def host(self, launches: float, steps: StepTable) -> tuple[Column, Column]:
        """Return the seconds in which the host launches all kernels, and those between steps.

        A step takes the longer of its kernels and the launching, and what is between steps.
        """
        rule = self.generation
        prefills = steps.prefill.tokens > 0
        launching = launches * np.where(prefills, rule.prefill_launch, rule.decode_launch)
        gap = np.where(prefills, rule.prefill_gap, rule.decode_gap) + rule.sampling
        return launching, gap + rule.sequence_time * steps.requests

    def busy(self, times: StepTimes) -> StepTimes:
        """Return the times that kernels keep a device busy in a step, from those of each alone."""
        return times.scaled(self.overhead)

    def _launches(self, operator: Operator) -> float:
        """Return the kernels that the host launches for one run of an operator."""
        if not isinstance(operator, RoutedExperts):
            return 1.0
        g = self.generation
        return g.dispatched_launches if operator.dispatched else g.expert_launches

    def time(self, operator: Operator, steps: StepTable) -> StepTimes:
        """Return the time of one run of an operator in each step."""
        alone = self.kernel_time(operator, steps)
        hidden = (1 - self.generation.launch_share) * alone.launch
        return evolve(alone, total=alone.total - hidden, launch=alone.launch - hidden)

    @singledispatchmethod
    def kernel_time(self, operator: Operator, steps: StepTable) -> StepTimes:
        """Return the time of its kernels alone, each started when the one before has ended.

        Raises:
            TypeError: its class has no rule. Nothing stands in for one: a GEMM costed as an
                elementwise operator would be next to free.
        """
        raise TypeError(f"no rule of the calibrated cost model for {type(operator).__name__}")

    @kernel_time.register
    def _(self, operator: Elementwise, steps: StepTable) -> StepTimes:
        if not operator.quantises:
            return self._elementwise(operator, steps)
        rows = operator.rows.of(steps) * operator.share
        rule = self.data.quantisation
        time = quantisation_time(rule, self.machine, rows, operator.quantises)
        return StepTimes.of(
            memory=time, launch=self.data.vector.launch * (rows > 0), rows=len(steps)
        )

    @kernel_time.register
    def _(self, operator: Gather, steps: StepTable) -> StepTimes:
        return self._elementwise(operator, steps)

    def _elementwise(self, operator: Operator, steps: StepTable) -> StepTimes:
        moved, rule = operator.work(steps).moved_bytes, self.data.vector
        return StepTimes.of(
            memory=moved / (rule.rate * self.machine.memory),
            launch=rule.launch * (moved > 0),
            rows=len(steps),
        )

    @kernel_time.register
    def _(self, operator: Gemm, steps: StepTable) -> StepTimes:
        p, m = operator.precision, operator.height(steps)
        rule = self.data.gemm_int8 if p.quantised else self.data.gemm
        shape = Shape(
            np.maximum(m, 1e-9),
            np.asarray(operator.outer, np.float64),
            np.asarray(operator.inner, np.float64),
            p.weight_bytes,
            p.activation_bytes,
            operator.batch,
        )
        time = gemm_time(rule, self.machine, shape, self.machine.peak(p.format)) * (m > 0)
        launch = rule.launch * (m > 0)
        weights = shape.weights / (rule.memory_rate * self.machine.memory)
        flop = 2 * operator.batch * m * operator.inner * operator.outer
        arithmetic = flop / (rule.cube_efficiency * self.machine.peak(p.format))
        return _bounded(time, launch, weights > arithmetic)

    @kernel_time.register
    def _(self, operator: RoutedExperts, steps: StepTable) -> StepTimes:
        p, rule = operator.precision, self._experts_rule(operator.precision)
        copies, hit = operator.copies(steps), operator.hit(steps)
        measured = self.data.cube.int8 if p.quantised else self.data.cube.bf16
        ratio = self.machine.peak(p.format) / measured
        time = experts_time(
            rule,
            self.machine,
            tokens=copies / operator.computing,
            copies=copies,
            active=operator.computing,
            hit=hit,
            local=operator.local,
            hidden=operator.hidden,
            inner=operator.inner,
            matrices=operator.matrices,
            weight_bytes=p.weight_bytes,
            peak_ratio=ratio,
        )
        matrix = operator.matrices * operator.hidden * operator.inner
        weights = hit * matrix * p.weight_bytes
        arithmetic = 2 * copies * matrix / (rule.cube_rate * ratio)
        by_memory = weights / (rule.memory_rate * self.machine.memory) > arithmetic
        more = (self._launches(operator) - 1) * self.data.vector.launch
        if operator.dispatched:
            more = 0.0  # part of the exchange
        runs = copies > 0
        return _bounded(time + more * runs, (rule.launch + more) * runs, by_memory)

    def _experts_rule(self, p: Precision) -> ExpertsRule:
        return self.data.experts_int8 if p.quantised else self.data.experts

    @kernel_time.register
    def _(self, operator: Attention, steps: StepTable) -> StepTimes:
        if not operator.phase.of(steps).tokens.any():
            return StepTimes.of(len(steps))
        d = operator.demand(steps)
        width = (operator.key_dim + operator.value_dim) / _MEASURED_HEAD
        row = operator.cached_width * operator.kv_bytes / 2
        heads = Heads(operator.heads, operator.kv_heads, _filled_width(operator), row)
        if operator.phase is AttentionPhase.PREFILL:
            rule = self.data.prefill_attention
            time = prefill_time(
                rule,
                self.machine,
                heads,
                causal_pairs=d.causal_pairs,
                tokens=d.tokens,
                context=np.maximum(d.cached, d.tokens),
                requests=d.requests,
            )
            return _bounded(time, rule.launch * (d.tokens > 0), np.zeros(len(steps), bool))
        rule_ = self.data.decode_attention
        cache = d.cached * operator.cached_width * operator.kv_bytes
        arithmetic = self._attention_arithmetic(d.pairs * operator.heads, width)
        time = decode_time(
            rule_,
            self.machine,
            heads,
            requests=d.requests,
            context=d.cached,
            cache_bytes=cache,
            arithmetic=arithmetic,
            element=operator.kv_bytes,
            queries=1.0 if operator.latent else operator.phase.of(steps).mean_new,
        )
        reading = cache / (rule_.memory_rate * self.machine.memory)
        return _bounded(time, rule_.launch * (d.requests > 0), reading >= arithmetic)

    def _attention_arithmetic(self, pairs: Column, width: float) -> Column:
        """Return seconds of query-key pairs at the rate that prefill attention reaches."""
        rule, machine = self.data.prefill_attention, self.machine
        seconds: Column = pairs * width * rule.pair_time / (machine.core * machine.cores)
        return seconds

    @kernel_time.register
    def _(self, operator: EncoderAttention, steps: StepTable) -> StepTimes:
        pairs = operator.heads * operator.pairs(steps)
        seconds = self._attention_arithmetic(pairs, max(2 * operator.head_dim / _MEASURED_HEAD, 1))
        launch = self.data.prefill_attention.launch * (steps.patches > 0)
        return StepTimes.of(matrix=seconds, launch=launch, rows=len(steps))

    @kernel_time.register
    def _(self, operator: LinearAttentionScan, steps: StepTable) -> StepTimes:
        """Time of tokens, or of moving the states where that is longer."""
        work, vector = operator.work(steps), self.data.vector
        reading = work.moved_bytes / (vector.rate * self.machine.memory)
        launch = vector.launch * (work.moved_bytes > 0)
        if operator.phase is AttentionPhase.DECODE:
            turns = steps.decode.mean_new * self.data.linear_attention.turn_time
            return StepTimes.of(memory=reading, vector=turns, launch=launch, rows=len(steps))
        rule = self.data.linear_attention
        size = operator.key_dim * operator.value_dim / _MEASURED_STATE
        tokens = steps.prefill.tokens * operator.value_heads * size
        scan = tokens * rule.token_time / self.machine.compute
        return StepTimes.of(vector=np.maximum(scan, reading), launch=launch, rows=len(steps))

    @kernel_time.register
    def _(self, operator: CollectiveOperator, steps: StepTable) -> StepTimes:
        held = operator.held_bytes(steps)
        path = tuple(hops(self.device, operator.group, operator.stride))
        time = hierarchical_time(self.data.collectives, operator.collective, held, path)
        return StepTimes.of(communication=time * (held > 0), rows=len(steps))


def _filled_width(operator: Attention) -> float:
    """Return the width of keys and values, each filled up to that which was measured.

    Scores alone, those of an indexer, have no values.
    """
    half = _MEASURED_HEAD / 2
    value = max(operator.value_dim, half) if operator.value_dim else 0.0
    return (max(operator.key_dim, half) + value) / _MEASURED_HEAD


def _bounded(time: Column, launch: Column, by_memory: NDArray[np.bool_]) -> StepTimes:
    """Split a time into its fixed part and what bounds the rest."""
    busy = time - launch
    return StepTimes.of(
        matrix=np.where(by_memory, 0.0, busy),
        memory=np.where(by_memory, busy, 0.0),
        launch=launch,
        rows=time.shape[-1],
    )
