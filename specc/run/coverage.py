"""How much of a study is simulated."""

from attrs import frozen


@frozen
class Coverage:
    """How much is simulated.

    Attributes:
        alone: the best configuration by closed form, and no others of the shortlist.
        whole: the recommendation gets further seeds, the error of the cost model and its capacity.
    """

    alone: bool
    whole: bool
