"""One table in every format: the same rows, with the lines at which they stand."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from specc.tables import ColumnSchema, Real, Schema, TextCells, Whole, read_table
from specc.workspace import Workspace

SCHEMA = Schema(
    "a table of tests",
    (
        ColumnSchema("name"),
        ColumnSchema("size", Whole()),
        ColumnSchema("time", Real(), ("duration",)),
        ColumnSchema("note", required=False),
    ),
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")))
ROW = st.fixed_dictionaries(
    {
        "name": WORDS,
        "size": st.integers(1, 10**9),
        "time": st.floats(-1e9, 1e9),
        "note": st.one_of(st.none(), WORDS.filter(bool)),
    }
)


def _separated(rows, separator: str) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


WRITERS = {
    "t.csv": lambda rows: _separated(rows, ","),
    "t.tsv": lambda rows: _separated(rows, "\t"),
    "t.jsonl": lambda rows: "\n".join(json.dumps(row) for row in rows),
    "t.json": lambda rows: json.dumps(rows, indent=1, ensure_ascii=False),
    "t.yaml": lambda rows: yaml.safe_dump(rows, allow_unicode=True),
}


@given(st.lists(ROW, min_size=1, max_size=6))
def test_a_table_reads_the_same_in_every_format(rows) -> None:
    for name, write in WRITERS.items():
        table = read_table(name, write(rows), SCHEMA)
        found = [values for _, values in table.rows()]
        assert found == rows, name
        assert list(table.lines) == sorted(table.lines)


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("t.csv", "name,size,time\n\n\na,1,2\n\nb,1,2\n", [4, 6]),
        ("t.csv", 'name,size,time\n"a\nb\nc",1,2\nd,1,2\n', [2, 5]),
        ("t.csv", "name,size,time\r\na,1,2\r\nb,1,2\r\n", [2, 3]),
        ("t.tsv", "name\tsize\ttime\na\t1\t2\nb\t1\t2", [2, 3]),
        ("t.jsonl", '{"name":"a","size":1,"time":2}\n\n{"name":"b","size":1,"time":2}', [1, 3]),
        ("t.json", '\n[{"name":"\u2028","size":1,\n"time":2},\n\n{"name":"b","size":1,"time":2}]\n',
         [2, 5]),
        ("t.yml", "# rows\n- name: a\n  size: 1\n  time: 2\n- {name: b, size: 1, time: 2}\n",
         [2, 5]),
        ("t.yaml", "- {name: a, size: &s 1, time: 2}\n- {name: b, size: *s, time: *s}", [1, 2]),
    ],
)  # fmt: skip
def test_lines_of_rows(name: str, text: str, lines: list[int]) -> None:
    table = read_table(name, text, SCHEMA)
    assert list(table.lines) == lines
    assert list(table.columns["size"]) == [1, 1]


@pytest.mark.parametrize("name", ["rows", "rows.txt", "ROWS.DAT"])
def test_a_name_that_says_nothing_is_read_by_how_the_text_begins(name: str) -> None:
    rows = [{"name": "a", "size": 3, "time": 0.5, "note": "x"}]
    for write in WRITERS.values():
        assert [r for _, r in read_table(name, write(rows), SCHEMA).rows()] == rows


def test_names_of_columns() -> None:
    text = "  name ,size, duration \na,1,2\n"
    table = read_table("t.csv", text, SCHEMA)
    assert table.written == {"name": "name", "size": "size", "time": "duration"}
    spaced = Schema("rows", (ColumnSchema("prefix_hit", Real()),), others=TextCells())
    table = read_table("t.csv", "a b,prefix hit,\n1,2,\n", spaced)
    assert [row for _, row in table.rows()] == [{"prefix_hit": 2.0, "a b": "1"}]


def test_the_first_schema_that_fits_is_taken() -> None:
    one, two = (Schema(n, (ColumnSchema(n), ColumnSchema("x", Whole()))) for n in ("one", "two"))
    assert read_table("t.csv", "two,x\na,1\n", one, two).schema is two
    assert read_table("t.csv", "two,one,x\na,b,1\n", one, two).schema is one


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv", "T.CSV.GZ"])
def test_packed_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = "name,size,time\na,1,2\n"
    # Two members one after the other, as `cat a.gz b.gz` makes them.
    path.write_bytes(gzip.compress(text.encode()) + gzip.compress(b"b,1,2\n"))
    source = Workspace(tmp_path).read(path, unpack=True)
    assert len(read_table(name, source.text, SCHEMA)) == 2
