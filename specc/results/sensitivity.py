"""How a recommendation moves with its inputs, and where another configuration is better."""

from attrs import frozen

from specc.records import Record


@frozen(eq=False, repr=False)
class Turn(Record):
    """Where another configuration is better.

    Attributes:
        times: the multiple of the input, interpolated between those that were computed.
        winner: the configuration, as a report names it.
    """

    times: float
    winner: str


@frozen(eq=False, repr=False)
class Factor(Record):
    """One input, and what follows if it is another.

    Attributes:
        name: the input, as a key of `specc.report.words.FACTORS`.
        low, high: the objective of the recommended configuration with a tenth less of the input,
            and with a tenth more; None where no batch size of it keeps the limits.
        devices: what it has then, in the same order.
        turns: the nearest points, below and above, at which another configuration is better.
    """

    name: str
    low: float | None
    high: float | None
    devices: tuple[int | None, int | None]
    turns: tuple[Turn, ...] = ()


@frozen(eq=False, repr=False)
class Sensitivity(Record):
    """How the objective of a recommendation moves, by closed form.

    Attributes:
        objective: what configurations are ranked by; `fewest_devices` counts them.
        base: its value at the inputs as they are.
        factors: the inputs that move it, the one that moves it most first, then the others.
    """

    objective: str
    base: float
    factors: tuple[Factor, ...]
