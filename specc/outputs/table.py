"""The table of all candidates: written as studies are done, so that nobody keeps all of them.

CSV, or Parquet with the unit and the meaning of each column. Rows are in the order of the plan,
whoever found them first.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from specc.atomic import growing
from specc.results import StudyResult
from specc.results.rows import CandidateTable, TableColumn, candidate_row, columns_of, study_row
from specc.writing import WriteError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_TOGETHER = 20_000  # of Parquet, which are read and compressed as one


@contextmanager
def candidate_table(path: Path, swept: Sequence[str]) -> Iterator[CandidateTable]:
    """Yield a table that grows; the file is there when all of it is written.

    Args:
        path: a file that ends with `.csv` or `.parquet`.
        swept: fields that studies sweep.

    Raises:
        WriteError: it has another end, Parquet needs pyarrow, or it cannot be written.
    """
    if path.suffix not in _KINDS:
        raise WriteError(path, "a table is .csv or .parquet", "name it so")
    with ExitStack() as stack:
        with _of_file(path):
            file = stack.enter_context(growing(path))
            kind = _KINDS[path.suffix]
            table = stack.enter_context(kind(path, file, columns_of(swept)))
        yield _Told(path, table)
        with _of_file(path):
            stack.pop_all().close()


@contextmanager
def _of_file(path: Path) -> Iterator[None]:
    """Say of what the system refuses which file it is about."""
    try:
        yield
    except OSError as error:
        raise WriteError.because(path, error) from None


class _Told:
    """A table whose errors name its file."""

    def __init__(self, path: Path, table: CandidateTable) -> None:
        self.path, self.table = path, table

    def encoded(self, result: StudyResult) -> Any:
        return self.table.encoded(result)

    def write(self, rows: Any) -> None:
        with _of_file(self.path):
            self.table.write(rows)


def _rows(result: StudyResult, columns: Sequence[TableColumn]) -> Iterator[list[Any]]:
    own = study_row(result)
    for candidate in result.candidates:
        row = {**own, **candidate_row(candidate)}
        yield [row.get(column.name) for column in columns]


class _Csv:
    def __init__(self, file: BinaryIO, columns: Sequence[TableColumn]) -> None:
        self.file, self.columns = file, columns
        self.write(self._text([[column.name for column in columns]]))

    @staticmethod
    def _text(rows: "Iterator[list[Any]] | list[list[Any]]") -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()

    def encoded(self, result: StudyResult) -> bytes:
        return self._text(_rows(result, self.columns))

    def write(self, rows: bytes) -> None:
        self.file.write(rows)


@contextmanager
def _csv(_: Path, file: BinaryIO, columns: Sequence[TableColumn]) -> Iterator[CandidateTable]:
    yield _Csv(file, columns)


class _Parquet:
    def __init__(self, writer: Any, schema: "pa.Schema", columns: Sequence[TableColumn]) -> None:
        self.writer, self.schema, self.columns = writer, schema, columns
        self.waiting: list[Any] = []
        self.count = 0

    def encoded(self, result: StudyResult) -> Any:
        import pyarrow as pa

        by_column = list(zip(*_rows(result, self.columns), strict=True))
        if not by_column:
            return pa.RecordBatch.from_pylist([], schema=self.schema)
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(by_column, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def write(self, rows: Any) -> None:
        self.waiting.append(rows)
        self.count += rows.num_rows
        if self.count >= ROWS_TOGETHER:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        if self.waiting:
            self.writer.write_table(pa.Table.from_batches(self.waiting, schema=self.schema))
        self.waiting, self.count = [], 0


@contextmanager
def _parquet(
    path: Path, file: BinaryIO, columns: Sequence[TableColumn]
) -> Iterator[CandidateTable]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        remedy = "pip install 'specc[table]', or write a .csv"
        raise WriteError(path, "Parquet needs pyarrow, which is not installed", remedy) from None
    kinds = {"text": pa.string(), "flag": pa.bool_(), "count": pa.int64(), "number": pa.float64()}
    schema = pa.schema(
        [pa.field(c.name, kinds[c.kind], metadata={"unit": c.unit, "doc": c.doc}) for c in columns],
        metadata={"specc": json.dumps({"rows": "candidates", "units": "SI"})},
    )
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        table = _Parquet(writer, schema, columns)
        yield table
        table.flush()


_KINDS = {".csv": _csv, ".parquet": _parquet}
