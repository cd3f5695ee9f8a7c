"""Numbers with units: known values, exactness, and laws of the arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.units import (
    BYTES,
    DIMENSIONLESS,
    FLOP_RATE,
    TIME,
    TOKENS,
    UNITS,
    Dimension,
    DimensionMismatchError,
    NumberError,
    Quantity,
    UnknownUnitError,
    parse_quantity,
    units_of,
)


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("8", 8, DIMENSIONLESS),
        ("10_000", 10000, DIMENSIONLESS),
        ("8Ki tok", 8192, TOKENS),
        ("8k tok", 8000, TOKENS),
        ("50%", 0.5, DIMENSIONLESS),
        ("50 ms", 0.05, TIME),
        ("47 ms", 0.047, TIME),
        ("1.5 us", 1.5e-6, TIME),
        ("2 min", 120, TIME),
        ("10 GiB", 10 * 2**30, BYTES),
        ("64 GB", 64 * 10**9, BYTES),
        ("1.6 TiB/s", 1.6 * 2**40, BYTES / TIME),
        ("196 GB/s", 196 * 10**9, BYTES / TIME),
        ("353.9 TFLOPS", 353.9e12, FLOP_RATE),
        ("3000 tok/s", 3000, TOKENS / TIME),
        ("12 req/min", 0.2, Dimension.base("req") / TIME),
        ("7.2 KB/h", 2.0, BYTES / TIME),
        ("1e3 ms", 1, TIME),
    ],
)
def test_known_values(text: str, value: float, dimension: Dimension) -> None:
    quantity = parse_quantity(text)
    assert quantity.value == pytest.approx(value, rel=1e-15)
    assert quantity.dimension == dimension


def test_whole_amounts_stay_exact_integers() -> None:
    for text in ("3 GiB", "0.5 KiB", "1e3 ms", "7Mi tok"):
        assert type(parse_quantity(text).value) is int


@pytest.mark.parametrize("text", ["1e400", "9" * 400, "1e300 TiB"])
def test_numbers_that_cannot_be_held(text: str) -> None:
    with pytest.raises(NumberError):
        parse_quantity(text)


@pytest.mark.parametrize(("text", "unknown"), [("5 gb", "gb"), ("5 B/x", "x"), ("5 sec", "sec")])
def test_unknown_units_are_named(text: str, unknown: str) -> None:
    with pytest.raises(UnknownUnitError) as caught:
        parse_quantity(text)
    assert caught.value.unit == unknown


def test_dimensions_have_names_and_symbols() -> None:
    assert str(BYTES / TIME) == "data size per time"
    assert (BYTES / TIME).symbol == "B/s"
    assert (TIME * TIME).symbol == "s^2"
    assert units_of(TIME) == ["ns", "us", "ms", "s", "min", "h"]
    assert "GB/s" in units_of(BYTES / TIME)
    assert units_of(DIMENSIONLESS) == ["%"]


def test_sums_need_equal_dimensions() -> None:
    with pytest.raises(DimensionMismatchError):
        parse_quantity("1 s") + parse_quantity("1 B")
    with pytest.raises(DimensionMismatchError):
        parse_quantity("1 s").compared(parse_quantity("1 B"))
    with pytest.raises(ZeroDivisionError):
        parse_quantity("1 s") / parse_quantity("0")


quantities = st.builds(
    lambda number, unit: parse_quantity(f"{number} {unit}"),
    st.integers(min_value=1, max_value=10**6),
    st.sampled_from(sorted(set(UNITS) - {"%"})),
)


@given(quantities, quantities)
def test_multiplying_and_dividing_undo_each_other(a: Quantity, b: Quantity) -> None:
    back = a * b / b
    assert back.dimension == a.dimension
    assert back.value == pytest.approx(a.value, rel=1e-12)


@given(quantities, quantities)
def test_products_commute_in_value_and_dimension(a: Quantity, b: Quantity) -> None:
    assert a * b == b * a


@given(quantities)
def test_a_quantity_equals_its_double_less_itself(a: Quantity) -> None:
    assert (a + a - a).value == pytest.approx(a.value)
    assert (a - a).compared(a) == -1
    assert (-a).compared(a) == -1
