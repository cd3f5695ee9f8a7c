"""The formats of tables: by the ending of the name, or by how the text begins."""

from collections.abc import Callable

from specc.tables.objects import json_rows
from specc.tables.rows import RawRows
from specc.tables.separated import separated_rows
from specc.tables.yaml_rows import yaml_rows

Format = Callable[[str, str], RawRows]


def _csv(name: str, text: str) -> RawRows:
    return separated_rows(name, text, ",")


def _tsv(name: str, text: str) -> RawRows:
    return separated_rows(name, text, "\t")


BY_ENDING: dict[str, Format] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".json": json_rows,
    ".yaml": yaml_rows,
    ".yml": yaml_rows,
}
PACKED = ".gz"


def format_of(name: str, text: str) -> Format:
    """Return what reads a file; `.gz` behind its ending is no part of it."""
    plain = name.lower().removesuffix(PACKED)
    for ending, reader in BY_ENDING.items():
        if plain.endswith(ending):
            return reader
    start = text.lstrip()
    if start.startswith(("{", "[")):
        return json_rows
    if start.startswith(("- ", "-\n", "---")):
        return yaml_rows
    first = start.partition("\n")[0]
    return _tsv if "\t" in first and "," not in first else _csv
