"""The JSON form of the IR: strict both ways. Enumerations are their values; spans stay out."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from specc.ir.formula import Constant, Formula, Operation, Reference, Truth, Word
from specc.ir.vocabulary import Node

T = TypeVar("T")

SIGNIFICANT_DIGITS = 9


class JsonFormError(ValueError):
    """Data that is not the JSON form of the class asked for; says each place and problem."""


def to_json(value: Any) -> Any:
    """Return a value of the IR (or a frozen attrs class made of such) as plain data."""
    return _CONVERTER.unstructure(value)


def to_rounded_json(value: Any) -> Any:
    """Return a value as `to_json` does, with floats that are the same on every machine."""
    return _ROUNDING_CONVERTER.unstructure(value)


def rounded_float(value: float) -> float:
    """Return a float with as many digits as files have."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def from_json(data: Any, cls: type[T]) -> T:
    """Build a value from its JSON form; the inverse of `to_json`.

    Raises:
        JsonFormError: a key is missing or unknown, or a value has the wrong type.
    """
    try:
        return _CONVERTER.structure(data, cls)
    except cattrs.BaseValidationError as error:
        raise JsonFormError("; ".join(cattrs.transform_error(error))) from None
    except (AttributeError, TypeError, ValueError) as error:
        # What is no object at all stops the generated code before it validates.
        raise JsonFormError(f"not the form of {cls.__name__}: {error}") from None


def _strict(wanted: type) -> Any:
    """Return a hook that takes exactly `wanted`: cattrs alone turns "3" and 3.7 into 3."""

    def hook(value: Any, _type: object) -> Any:
        if type(value) is wanted:
            return value
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        raise TypeError(f"{value!r} is not {wanted.__name__}")

    return hook


def _is_sequence(cls: object) -> bool:
    return cls in (tuple, list) or get_origin(cls) is tuple


def _is_words(cls: object) -> bool:
    return cls == dict[str, str]


def _structure_formula(data: Any, _type: object) -> Formula:
    """Tell the kinds of formulas apart by the key that each of them alone has."""
    for key, cls in _FORMULAS.items():
        if key in data:
            return _CONVERTER.structure(data, cls)
    raise ValueError("no formula")


def _structure_number(value: Any, _type: object) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TypeError(f"{value!r} is not a number")


_FORMULAS: dict[str, type[Formula]] = {
    "operator": Operation,
    "path": Reference,
    "word": Word,
    "truth": Truth,
    "value": Constant,
}


def _omitted(cls: type[Any]) -> dict[str, Any]:
    """What does not belong to the JSON form: spans, and what a class says."""
    names = ("spans",) if issubclass(cls, Node) else getattr(cls, "unwritten", ())
    return {name: override(omit=True) for name in names}


def _derived(cls: type[Any]) -> tuple[str, ...]:
    """What is written beside the fields for those who read the file, and not read again."""
    names: tuple[str, ...] = getattr(cls, "derived", ())
    return names


def _with(
    names: tuple[str, ...], unstructure: Callable[[Any], Any], converter: cattrs.Converter
) -> Callable[[Any], Any]:
    def hook(value: Any) -> Any:
        derived = {name: converter.unstructure(getattr(value, name)) for name in names}
        return {**unstructure(value), **derived}

    return hook


def _without(
    names: tuple[str, ...], structure: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], Any]:
    def hook(data: Any, cls: Any) -> Any:
        if not isinstance(data, dict):
            return structure(data, cls)
        return structure({k: v for k, v in data.items() if k not in names}, cls)

    return hook


def _converter(write_float: Callable[[float], float]) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, prefer_attrib_converters=False)
    for primitive in (int, float, bool, str):
        converter.register_structure_hook(primitive, _strict(primitive))

    @converter.register_structure_hook_factory(attrs.has)
    def structure_fn(cls: type[Any]) -> Any:
        structure = make_dict_structure_fn(
            cls,
            converter,
            _cattrs_forbid_extra_keys=True,
            **_omitted(cls),
        )
        derived = _derived(cls)
        return _without(derived, structure) if derived else structure

    @converter.register_unstructure_hook_factory(attrs.has)
    def unstructure_fn(cls: type[Any]) -> Any:
        unstructure = make_dict_unstructure_fn(cls, converter, **_omitted(cls))
        derived = _derived(cls)
        return _with(derived, unstructure, converter) if derived else unstructure

    # A field says that it holds a formula; which one is known by its value.
    converter.register_structure_hook_func(lambda cls: cls is Formula, _structure_formula)
    converter.register_unstructure_hook_func(
        lambda cls: cls is Formula,
        lambda value: converter.unstructure(value, unstructure_as=type(value)),
    )
    converter.register_structure_hook(int | float, _structure_number)
    converter.register_unstructure_hook(Enum, lambda value: value.value)
    # A whole number in a field of floats is written as it is loaded again: 16.0.
    converter.register_unstructure_hook(float, write_float)
    # Hooks of cattrs for these types would empty its cache of hooks whenever one is first met, and
    # all classes would be compiled again.
    converter.register_unstructure_hook_func(_is_words, dict)
    converter.register_unstructure_hook_func(
        _is_sequence,
        lambda value: [converter.unstructure(v) for v in value],
    )
    return converter


_CONVERTER = _converter(float)
_ROUNDING_CONVERTER = _converter(rounded_float)
