"""Routed experts."""

from typing import ClassVar

from attrs import frozen

from specc.cost.operators.base import Operator, OperatorClass, Work
from specc.cost.precision import HALF, Format, Precision
from specc.cost.steps import Column, StepTable


@frozen(kw_only=True, eq=False, repr=False)
class RoutedExperts(Operator):
    """A block of routed experts on one device: routing, two grouped GEMMs, combination.

    Attributes:
        tokens_per: tokens that come to this group of experts, per token of a replica.
        hidden: width of the tokens that they get.
        inner: inner width of an expert on this device.
        count: routed experts of the layer.
        choices: what the router chooses from: those, and such as give tokens back as they are.
        active: experts that a token passes, these included.
        matrices: of an expert: gate, up and down, or the last two.
        local: experts that this device holds, copies included.
        devices: devices that the experts of the layer lie on.
        dispatched: whether tokens are sent to the devices of their experts.
        context_parallel: ranks that share the prompt tokens of a replica.
        imbalance: tokens of the fullest device over the mean.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "inner",
        "local",
        "devices",
        "tokens_per",
        "context_parallel",
        "imbalance",
    )

    precision: Precision
    hidden: int
    inner: int
    count: int
    choices: int
    active: int
    local: int
    devices: int
    matrices: int = 3
    tokens_per: float = 1.0
    context_parallel: int = 1
    dispatched: bool = False
    imbalance: float = 1.0
    bias: bool = False
    kind: OperatorClass = OperatorClass.EXPERTS

    @property
    def reads_contexts(self) -> bool:
        return False

    def routed_tokens(self, steps: StepTable) -> Column:
        """Return the tokens that are spread over all experts of the group."""
        prefilled = steps.prefill.tokens * self.context_parallel
        return (prefilled + steps.decode.tokens) * self.tokens_per

    @property
    def computing(self) -> float:
        """Experts of a token that compute."""
        return self.active * self.count / self.choices

    def copies(self, steps: StepTable) -> Column:
        """Return the token copies that the experts of one device compute."""
        return self.routed_tokens(steps) * self.computing / self.devices * self.imbalance

    def hit(self, steps: StepTable) -> Column:
        """Return the expected experts of a device that any token comes to."""
        missed = (1 - self.active / self.choices) ** self.routed_tokens(steps)
        return self.local * (1 - missed)

    def work(self, steps: StepTable) -> Work:
        rows, hit, p = self.copies(steps), self.hit(steps), self.precision
        weights = hit * self.matrices * self.hidden * self.inner * p.weight_bytes
        moved = weights + rows * (
            p.activation_bytes * (self.hidden + self.inner) + HALF * (self.hidden + self.inner)
        )
        flop = 2 * self.matrices * rows * self.hidden * self.inner
        return Work(flop, (2 * self.matrices + 1) * rows * self.inner, moved)

    @property
    def is_pooled(self) -> bool:
        return True

    @property
    def matrix_format(self) -> Format:
        return self.precision.format

    @property
    def quantised(self) -> bool:
        return self.precision.quantised

    @property
    def parameters(self) -> float:
        return self.local * (self.matrices * self.hidden * self.inner + self._biases)

    @property
    def _biases(self) -> int:
        """Biases of one expert."""
        return (self.matrices - 1) * self.inner + self.hidden if self.bias else 0

    @property
    def weight_bytes(self) -> float:
        weights = self.matrices * self.hidden * self.inner * self.precision.weight_bytes
        return self.local * (weights + HALF * self._biases)
