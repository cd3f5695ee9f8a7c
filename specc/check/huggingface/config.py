"""A configuration file whose keys are read with their checks."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from specc.check.convert import brief
from specc.check.problems import ProblemError, problem
from specc.diagnostics import Span
from specc.records import Record

Fields = dict[str, Any]


@frozen(eq=False, repr=False)
class ConfigFile(Record):
    """A JSON object of a configuration, and how to complain about it."""

    values: Mapping[str, Any]
    file: str
    span: Span

    def problem(self, message: str, why: str = "", help: str = "") -> ProblemError:
        """Return an error at the text that names the file."""
        return problem(self.span, "E0004", message, why=why, help=help)

    def architecture(self) -> str:
        """Return the one architecture that it names."""
        names = self.values.get("architectures")
        if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
            return names[0]
        raise self.problem(
            f"'{self.file}' does not name one architecture",
            why="a Hugging Face configuration has a list 'architectures' with one entry",
        )

    def nested(self, key: str) -> "ConfigFile | None":
        """Return the object below a key; None if there is none."""
        value = self.values.get(key)
        return ConfigFile(value, self.file, self.span) if isinstance(value, dict) else None

    def whole(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return a whole number of at least `least`; a missing or null one is the default."""
        value = self.values.get(key)
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

    def flag(self, key: str) -> bool:
        """Return a truth value; a missing or null one is false."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value is True
        raise self.problem(f"'{key}' of '{self.file}' is {brief(value)}, not true or false")

    def numbers(self, key: str) -> list[int]:
        """Return a list of whole numbers."""
        value = self.values.get(key)
        if isinstance(value, list) and all(type(item) is int for item in value):
            return value
        found = "is missing" if value is None else f"is {brief(value)}"
        raise self.problem(
            f"'{key}' of '{self.file}' {found}", why="it needs one number for each layer"
        )

    def layers(self, key: str, count: int) -> set[int]:
        """Return the layers, of `count`, that a list names; none if it is missing or null."""
        value = self.values.get(key)
        if value is None:
            return set()
        if isinstance(value, list) and all(type(i) is int and 0 <= i < count for i in value):
            return set(value)
        raise self.problem(
            f"'{key}' of '{self.file}' is {brief(value)}",
            why=f"it lists layers, numbers from 0 to {count - 1}",
        )

    def layer_types(self, known: tuple[str, ...]) -> list[str]:
        """Return the kind of each layer, from `layer_types`."""
        value = self.values.get("layer_types")
        layers = self.whole("num_hidden_layers")
        if not isinstance(value, list) or len(value) != layers:
            found = "is missing" if value is None else f"does not list {layers} layers"
            raise self.problem(f"'layer_types' of '{self.file}' {found}")
        for kind in value:
            if kind not in known:
                raise self.problem(
                    f"'layer_types' of '{self.file}' names the kind {brief(kind)}",
                    why=f"the cost model supports {' and '.join(known)}",
                )
        return value

    def only(self, key: str, *allowed: Any) -> None:
        """Refuse a setting that changes the computation and has no rule."""
        value = self.values.get(key)
        if value is not None and value not in allowed:
            texts = " or ".join(repr(item) for item in allowed)
            raise self.problem(
                f"'{self.file}' sets {key} = {brief(value)}, which is not supported",
                why=f"the cost model supports only {key} = {texts}",
            )
