"""The Pareto frontier against a plain comparison of each row with every other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from specc.results.curves import _unbeaten

SHAPES = st.tuples(st.integers(1, 60), st.just(5))
FEW_VALUES = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0])
ANY_VALUES = st.floats(-1e6, 1e6)


def _each_with_every_other(scores: np.ndarray) -> list[bool]:
    return [
        not any((other <= row).all() and (other < row).any() for other in scores) for row in scores
    ]


@given(st.one_of(arrays(float, SHAPES, elements=e) for e in (FEW_VALUES, ANY_VALUES)))
def test_rows_that_none_beats(scores: np.ndarray) -> None:
    assert _unbeaten(scores).tolist() == _each_with_every_other(scores)


def test_equal_rows_do_not_beat_each_other() -> None:
    scores = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0], [0.0, 9.0]])
    assert _unbeaten(scores).tolist() == [True, True, False, True]
