"""A configuration file whose keys are read with their checks."""

from collections.abc import Collection, Mapping
from typing import Any

from attrs import Factory, evolve, frozen

from specc.check.convert import brief
from specc.check.problems import ProblemError, problem
from specc.diagnostics import Span
from specc.records import Record

Fields = dict[str, Any]
MOST = 1e9  # of a factor
MOST_KEYS = 8  # that a message names


@frozen(eq=False, repr=False)
class ConfigFile(Record):
    """A JSON object of a configuration, and how to complain about it.

    Attributes:
        asked: keys that were read; the others must be harmless.
        opened: the objects below keys that were read.
    """

    values: Mapping[str, Any]
    file: str
    span: Span
    asked: set[str] = Factory(set)
    opened: dict[str, "ConfigFile"] = Factory(dict)

    def having(self, values: Fields) -> "ConfigFile":
        """Return the same object with other values of some keys, which its class gives it."""
        return evolve(self, values={**self.values, **values})

    def get(self, key: str) -> Any:
        """Return what a key has, None if it is missing or null."""
        self.asked.add(key)
        return self.values.get(key)

    def unknown(self, harmless: Collection[str]) -> list[str]:
        """Return the keys that have a value, that nobody asked for and that are not harmless."""
        return [
            key
            for key, value in self.values.items()
            if value is not None and key not in self.asked and key not in harmless
        ]

    def either(self, first: str, other: str) -> str:
        """Return which of two keys the file has; the second if it has neither."""
        return first if self.get(first) is not None else other

    def problem(self, message: str, why: str = "", help: str = "") -> ProblemError:
        """Return an error at the text that names the file."""
        return problem(self.span, "E0004", message, why=why, help=help)

    def refuse_unknown(self, harmless: Collection[str]) -> None:
        """Refuse keys that could change the work."""
        unknown = self.unknown(harmless)
        if not unknown:
            return
        names = ", ".join(f"'{key}'" for key in unknown[:MOST_KEYS])
        more = f" and {len(unknown) - MOST_KEYS} more" if len(unknown) > MOST_KEYS else ""
        written = ", ".join(f'"{key}"' for key in unknown)
        raise self.problem(
            f"'{self.file}' has keys that specc does not know: {names}{more}",
            why="they could change what the model computes",
            help=f"if they change nothing, write ignore = [{written}] beside 'config'",
        )

    def architecture(self) -> str:
        """Return the one architecture that it names."""
        names = self.get("architectures")
        if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
            return names[0]
        raise self.problem(
            f"'{self.file}' does not name one architecture",
            why="a Hugging Face configuration has a list 'architectures' with one entry",
        )

    def nested(self, key: str) -> "ConfigFile | None":
        """Return the object below a key; None if there is none."""
        value = self.get(key)
        if value is None:
            return None
        if isinstance(value, dict):
            return self.opened.setdefault(key, ConfigFile(value, self.file, self.span))
        raise self.problem(f"'{key}' of '{self.file}' is {brief(value)}, not an object")

    def word(self, key: str, *known: str, default: str) -> str:
        """Return one of some words; a missing or null one is the default."""
        value = self.get(key)
        if value is None:
            return default
        if value in known:
            return str(value)
        raise self.problem(
            f"'{key}' of '{self.file}' is {brief(value)}",
            why=f"the cost model supports {' and '.join(known)}",
        )

    def number(self, key: str, default: float) -> float:
        """Return a number above 0; a missing or null one is the default."""
        value = self.get(key)
        if value is None:
            return default
        if type(value) in (int, float) and 0 < value < MOST:
            return float(value)
        raise self.problem(f"'{key}' of '{self.file}' is {brief(value)}, not a number above 0")

    def repeats(self, key: str, value: Any, of: str) -> None:
        """Refuse a key that says again what another says, but something else."""
        again = self.get(key)
        if again is not None and again != value:
            raise self.problem(
                f"'{key}' of '{self.file}' is {brief(again)}, and '{of}' says {brief(value)}",
                help=f"correct one of them, or write ignore = [\"{key}\"] beside 'config'",
            )

    def whole(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return a whole number of at least `least`; a missing or null one is the default."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        if type(value) is int and value >= least:
            return value
        found = "is missing" if value is None else f"is {brief(value)}"
        wanted = "a positive whole number" if least == 1 else f"a whole number of at least {least}"
        raise self.problem(
            f"'{key}' of '{self.file}' {found}",
            why=f"the cost model needs {wanted} for '{key}'",
        )

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a truth value; a missing or null one is the default."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        raise self.problem(f"'{key}' of '{self.file}' is {brief(value)}, not true or false")

    def numbers(self, key: str) -> list[int]:
        """Return a list of whole numbers."""
        value = self.get(key)
        if isinstance(value, list) and all(type(item) is int for item in value):
            return value
        found = "is missing" if value is None else f"is {brief(value)}"
        raise self.problem(
            f"'{key}' of '{self.file}' {found}", why="it needs one number for each layer"
        )

    def layers(self, key: str, count: int) -> set[int]:
        """Return the layers, of `count`, that a list names; none if it is missing or null."""
        value = self.get(key)
        if value is None:
            return set()
        numbers = isinstance(value, list) and all(type(i) is int and 0 <= i < count for i in value)
        if numbers and len(set(value)) == len(value):
            return set(value)
        raise self.problem(
            f"'{key}' of '{self.file}' is {brief(value)}",
            why=f"it lists layers, each once, numbers from 0 to {count - 1}",
        )

    def layer_types(self, known: tuple[str, ...], key: str = "layer_types") -> list[str]:
        """Return the kind of each layer, from a list of them."""
        value = self.get(key)
        layers = self.whole("num_hidden_layers")
        if not isinstance(value, list) or len(value) != layers:
            found = "is missing" if value is None else f"does not list {layers} layers"
            raise self.problem(f"'{key}' of '{self.file}' {found}")
        for kind in value:
            if kind not in known:
                raise self.problem(
                    f"'{key}' of '{self.file}' names the kind {brief(kind)}",
                    why=f"the cost model supports {' and '.join(known)}",
                )
        return value

    def all_layers(self, *kinds: str) -> None:
        """Refuse layers of other kinds, or of several, where there is a list of kinds."""
        if self.get("layer_types") is not None and len(set(self.layer_types(kinds))) > 1:
            raise self.problem(f"'layer_types' of '{self.file}' names several kinds")

    def only(self, key: str, *allowed: Any) -> None:
        """Refuse a setting that changes the computation and has no rule."""
        value = self.get(key)
        if value is not None and not any(type(value) is type(a) and value == a for a in allowed):
            texts = " or ".join(repr(item) for item in allowed)
            raise self.problem(
                f"'{self.file}' sets {key} = {brief(value)}, which is not supported",
                why=f"the cost model supports only {key} = {texts}"
                if allowed
                else f"the cost model has no rule for {key}",
                help=f"write ignore = [\"{key}\"] beside 'config' if it changes nothing",
            )
