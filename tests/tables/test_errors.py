"""What is no table: an error with file, line and column, and never another exception."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.tables import (
    ColumnSchema,
    Date,
    Real,
    Schema,
    TableError,
    TextCells,
    TypedTable,
    Whole,
    Wholes,
    read_table,
)

SCHEMA = Schema(
    "a trace",
    (
        ColumnSchema("at", Real("time", at_least=0, below=1e12)),
        ColumnSchema("size", Whole()),
        ColumnSchema("ids", Wholes(), required=False),
        ColumnSchema("day", Date(), required=False),
    ),
)
HEAD = "at,size\n"
JSON = '{{"at": 1, "size": {}}}'
BOMB = "- {{at: 1, size: 2}}\n- {{at: &a0 [1, 1], size: 1}}\n" + "".join(
    f"- {{{{at: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}], size: 1}}}}\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("name", "text", "line", "column", "said"),
    [
        # files as a whole
        ("t.csv", "", None, "", "is empty"),
        ("t.csv", " \n\n", None, "", "is empty"),
        ("t.csv", HEAD, None, "", "has no rows"),
        ("t.json", "[]", None, "", "has no rows"),
        ("t.yaml", "# nothing\n", None, "", "is empty"),
        ("t.yaml", "[]", None, "", "has no rows"),
        ("t.csv", HEAD + "1,2\n\0,3\n", 3, "", "binary"),
        ("t.csv", "a,b\n1,2\n", None, "at", "lacks the columns at, size; it has a, b"),
        ("t.csv", "at,b\n1,2\n", None, "size", "lacks the column size; it has at, b"),
        ("t.csv", "at;size\n1;2\n", None, "at", "it has at;size"),
        ("t.jsonl", "{}", None, "at", "it has none"),
        ("t.csv", "at,at,size\n1,1,2\n", 1, "at", "the column 'at' twice"),
        # rows
        ("t.csv", HEAD + "1,2\n1\n", 3, "", "has not as many cells as line 1"),
        ("t.csv", HEAD + '1,2\n"\n1",3,4\n', 3, "", "has not as many cells as line 1"),
        ("t.csv", HEAD + '1,"2\n', 2, "", "is not a CSV table"),
        ("t.tsv", "at\tsize\n1\t\"2\n", 2, "", "is not a TSV table"),
        ("t.csv", HEAD + "1," + "9" * 200_000, 2, "", "is not a CSV table"),
        ("t.jsonl", '{"at": 1, "size": 2}\n{"at": 1', 2, "", "is not JSON"),
        ("t.jsonl", '{"at": 1, "size": 2} {"at": 1, "size": 2}', 1, "", "is not JSON"),
        ("t.jsonl", '{"at": 1, "size": 2}\n[1]', 2, "", "is not a JSON object"),
        ("t.jsonl", "[" * 100_000, 1, "", "nested too deep"),
        ("t.json", '[{"at": 1, "size": 2},\n7]', 2, "", "is not a JSON object"),
        ("t.json", '[{"at": 1, "size": 2}\n{}]', 2, "", "is not JSON"),
        ("t.json", '[{"at": 1, "size": 2},\n]', 2, "", "is not JSON"),
        ("t.json", '[{"at": 1, "size": 2}]\n]', 2, "", "is not JSON"),
        ("t.jsonl", '{"at": 1, "size": 2}\n{"at": 1, "at": 1, "size": 3}', 2, "at", "given twice"),
        ("t.jsonl", '{"at": 1, "size": 2}\n{"at": 1}', 2, "size", "lacks 'size'"),
        ("t.yaml", "- at: 1\n  size: 2\n- 7\n", 3, "", "is not a row"),
        ("t.yaml", "at: 1", None, "", "is not a list of rows"),
        ("t.yaml", "- {at: 1, size: 2}\n- {at: 1,, size: ]\n", 2, "", "is not YAML"),
        ("t.yaml", "- {at: 1, size: 2}\n- {at: 1, at: 1}", 2, "at", "given twice"),
        ("t.yaml", "- {at: 1, size: 2}\n---\n- {}\n", 2, "", "begins a second document"),
        ("t.yaml", "- {[1]: 1}", 1, "", "not text"),
        ("t.yaml", "[" * 3_000, 1, "", "line 1 of"),
        ("t.yaml", "- {at: 1, size: [[1]]}", 1, "size", "is nested"),
        ("t.yaml", "- {at: 1, size: 2}\n- {at: 1, size: " + "[" * 3_000, 2, None, "line 2 of"),
        ("t.yaml", "- at: 1\n  size: {a: 1}\n", 2, "size", "is a mapping"),
        ("t.yaml", "- {at: !!python/object:os.system 1, size: 1}\n", 1, "at", "has the tag"),
        ("t.yaml", "- &r {at: 1, size: 2}\n- {<<: *r}\n", 2, "<<", "repeats '*r'"),
        ("t.yaml", "- {at: 1, size: *none}", 1, "size", "repeats '*none'"),
        ("t.yaml", BOMB.format(), 3, "at", "is nested"),
        # cells
        ("t.csv", HEAD + "1,2\n1,x\n", 3, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1,0\n", 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1,\n", 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1,2.5\n", 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1,1_0\n", 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1,٣\n", 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1," + "9" * 310, 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1," + "9" * 5_000, 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1,1e400", 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1,nan", 2, "size", "is not a positive whole number"),
        ("t.csv", HEAD + "1,2\nnan,2\n", 3, "at", "is not a time"),
        ("t.csv", HEAD + "inf,2\n", 2, "at", "is not a time"),
        ("t.csv", HEAD + "-1,2\n", 2, "at", "is not a time"),
        ("t.csv", HEAD + "9" * 310 + ",2\n", 2, "at", "is not a time"),
        ("t.csv", 'at,size,ids\n1,2,"[1, true]"\n', 2, "ids", "is not a list of whole numbers"),
        ("t.csv", "at,size,ids\n1,2," + "[" * 100_000, 2, "ids", "is not a list"),
        ("t.csv", "at,size,day\n1,2,monday\n", 2, "day", "is not a date"),
        *(
            ("t.jsonl", '{"at": 1, "size": 2}\n' + JSON.format(cell), 2, "size", "not a positive")
            for cell in ("true", "null", "NaN", "Infinity", "[1]", "{}", '"x"', "2.5", "-3",
                         "1" * 310, "1" * 5_000, "1e999")
            if cell != "null"
        ),
        ("t.jsonl", JSON.format("null"), 1, "size", "lacks 'size'"),
        ("t.jsonl", '{"at": ' + "1" * 310 + ', "size": 2}', 1, "at", "is not a time"),
        ("t.jsonl", '{"at": true, "size": 2}', 1, "at", "is not a time"),
        ("t.jsonl", '{"at": 1, "size": 2, "ids": [1.5]}', 1, "ids", "is not a list"),
        ("t.jsonl", '{"at": 1, "size": 2, "ids": [' + "1" * 310 + "]}", 1, "ids", "is not a list"),
        ("t.yaml", "- {at: true, size: 2}", 1, "at", "is not a time"),
        ("t.yaml", "- {at: 1, size: [2]}", 1, "size", "is not a positive whole number"),
        ("t.yaml", "- {at: 1, size: ~}", 1, "size", "lacks 'size'"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_what_is_wrong_and_where(name: str, text: str, line, column: str, said: str) -> None:
    with pytest.raises(TableError) as caught:
        read_table(name, text, SCHEMA)
    error = caught.value
    assert said in error.message
    assert (error.file, error.line) == (name, line)
    assert column in (None, error.column)  # None: libyaml may refuse it before the reader does
    assert name in error.message
    assert line is None or error.message.startswith(f"line {line} of") or line == 1
    assert max(len(part) for part in (error.message, error.why, error.help)) < 400


def test_the_diagnostic_of_an_error() -> None:
    with pytest.raises(TableError) as caught:
        read_table("t.csv", HEAD + "1,x\n", SCHEMA)
    found = caught.value.diagnostic("E0010", help="see the tables that fit")
    assert (found.code, found.span, found.why) == ("E0010", None, "it is 'x'")
    assert found.help == "see the tables that fit"


def test_columns_that_are_not_known() -> None:
    closed = Schema("a table of bins", (ColumnSchema("share"), ColumnSchema("input")), closed=True)
    with pytest.raises(TableError, match="a column 'inptu' that is not known") as caught:
        read_table("t.csv", "share,input,inptu\n1,2,3\n", closed)
    assert caught.value.column == "inptu"


def test_what_would_move_the_cursor_is_not_repeated() -> None:
    with pytest.raises(TableError) as caught:
        read_table("t.csv", HEAD + "1,\x1b[31m\u202e\n", SCHEMA)
    assert caught.value.why == "it is '\\x1b[31m\\u202e'"


ENDINGS = st.sampled_from(["csv", "tsv", "jsonl", "json", "yaml", "txt", "csv.gz"])
PIECES = st.sampled_from(
    ["at", "size", ",", "\t", "\n", '"', "1", "0", "-", "- ", ": ", "{", "}", "[", "]", "&a ",
     "*a", "true", "null", "nan", "1e9", "\\", "\r", "é", "#", "%", "!!int ", "---\n", '"at": 1',
     "at,size\n", '{"at": 1, "size": 2}\n', "- {at: 1, size: 2}\n"]
)  # fmt: skip


@given(ENDINGS, st.lists(PIECES, max_size=12).map("".join))
def test_any_text_is_a_table_or_an_error(ending: str, text: str) -> None:
    table: TypedTable | None = None
    with contextlib.suppress(TableError):
        table = read_table(f"t.{ending}", text, SCHEMA)
    assert table is None or len(table) == len(table.columns["size"]) > 0


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=8), st.booleans(), st.none()))
def test_the_fast_way_reads_what_the_slow_one_reads(cell) -> None:
    for kind in (Real(), Whole(), TextCells(), Real(at_least=0, below=5, scale=2)):
        try:
            expected = kind.one(cell)
        except ValueError:
            expected = None
        try:
            [found] = kind.many([cell])
        except ValueError:
            continue
        assert found == expected
