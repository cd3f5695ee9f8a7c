"""YAML: a list of mappings with plain values.

The events of the parser are read one by one and nothing is built from them, so neither deep
nesting nor aliases of aliases cost anything: what does not belong to a table ends the reading.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import define, field

from specc.tables.cells import Cell
from specc.tables.error import TableError, in_line, shortened
from specc.tables.rows import ObjectRows

if TYPE_CHECKING:
    import yaml

_NOTHING = ("", "~", "null", "Null", "NULL")
_PLAIN_TAGS = (None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float")))
_HELP = "write a mapping for each row: - {share: 50%, input: 2048, output: 512}"


def yaml_rows(name: str, text: str) -> ObjectRows:
    """Return the rows of a text that is a list of mappings.

    Raises:
        TableError: it is no YAML, no list of mappings, or a cell is a mapping.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Reader(name, yaml.parse(text, Loader=loader)).rows()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        if mark is None:
            raise TableError(name, f"'{name}' is not YAML", why=reason) from None
        raise in_line(name, mark.line + 1, "is not YAML", why=reason) from None


def _line(event: "yaml.Event") -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


@define(eq=False)
class _Reader:
    """Takes a table from the events of a YAML parser."""

    name: str
    events: "Iterator[yaml.Event]"
    anchors: dict[str, Cell] = field(factory=dict)

    def rows(self) -> ObjectRows:
        import yaml

        lines: list[int] = []
        objects: list[dict[str, Cell]] = []
        next(self.events)  # the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise TableError(self.name, f"'{self.name}' is empty")
        event = next(self.events)
        named = isinstance(event, yaml.MappingStartEvent)
        if named and isinstance(next(self.events), yaml.ScalarEvent):
            event = next(self.events)  # a list under a name, such as bins:
        if not isinstance(event, yaml.SequenceStartEvent):
            raise TableError(self.name, f"'{self.name}' is not a list of rows", help=_HELP)
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.MappingStartEvent):
                raise in_line(self.name, line, "is not a row", help=_HELP)
            lines.append(line)
            objects.append(self._row())
        if named and not isinstance(after := next(self.events), yaml.MappingEndEvent):
            raise in_line(self.name, _line(after), "begins a second list", help=_HELP)
        next(self.events)  # the end of the document
        if not isinstance(after := next(self.events), yaml.StreamEndEvent):
            raise in_line(self.name, _line(after), "begins a second document")
        return ObjectRows(lines, objects)

    def _row(self) -> dict[str, Cell]:
        import yaml

        row: dict[str, Cell] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise in_line(self.name, line, "has a name of a column that is not text")
            column = event.value
            if column in row:
                raise self._problem(column, line, "is given twice")
            row[column] = self._cell(column, next(self.events))
        return row

    def _cell(self, column: str, event: Any) -> Cell:
        """Return the text of a value, a list of texts, or None for null."""
        import yaml

        line = _line(event)
        match event:
            case yaml.ScalarEvent():
                value = self._scalar(column, event, line)
                if event.anchor:
                    self.anchors[event.anchor] = value
                return value
            case yaml.AliasEvent() if event.anchor in self.anchors:
                return self.anchors[event.anchor]
            case yaml.AliasEvent():
                raise self._problem(column, line, f"repeats '*{event.anchor}', not a plain value")
            case yaml.SequenceStartEvent():
                return list(self._items(column, line))
        raise self._problem(column, line, "is a mapping, not a plain value")

    def _items(self, column: str, line: int) -> Iterator[Cell]:
        import yaml

        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._problem(column, line, "is nested, not a list of plain values")
            yield self._scalar(column, event, line)

    def _scalar(self, column: str, event: Any, line: int) -> Cell:
        if event.tag not in _PLAIN_TAGS:
            raise self._problem(column, line, f"has the tag {shortened(event.tag)}")
        # Numbers stay as they are written, so a cell means what it means in CSV.
        return None if event.implicit[0] and event.value in _NOTHING else event.value

    def _problem(self, column: str, line: int, reason: str) -> TableError:
        message = f"line {line} of '{self.name}': '{shortened(column)}' {reason}"
        return TableError(self.name, message, line=line, column=column)
