"""The table of all candidates: the same rows in CSV and Parquet, whoever runs the studies."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from specc.outputs.table import candidate_table
from specc.results import load_results
from specc.results.rows import columns_of
from specc.run.runner import Runner, local_runner
from specc.session import Session
from specc.writing import WriteError
from tests.run.test_store import PLAN

SWEPT = ("w.output",)


def _plan(folder: Path, variants: int = 12) -> Path:
    outputs = ", ".join(f"{100 + 10 * n} tok" for n in range(variants))
    path = folder / "plan.spec"
    path.write_text(PLAN.format(tpot=50, outputs=outputs, more="simulate = none"))
    return path


def _written(path: Path, name: str, jobs: int = 1) -> Session:
    session = Session(path)
    with local_runner(jobs) as runner, candidate_table(path.with_name(name), SWEPT) as table:
        runner.table, session.runner = table, runner
        _ = session.results
    return session


def test_both_formats_have_all_candidates(tmp_path: Path) -> None:
    path = _plan(tmp_path)
    alone = Session(path)
    alone.runner = Runner()
    frame = alone.results.frame()
    _written(path, "all.csv")
    _written(path, "all.parquet")
    text = pd.read_csv(tmp_path / "all.csv", keep_default_na=False, na_values=[""])
    binary = pd.read_parquet(tmp_path / "all.parquet")
    names = [column.name for column in columns_of(SWEPT)]
    assert list(text) == list(binary) == names
    assert len(text) == len(binary) == len(frame) == 13 * 2
    for name in frame.columns:
        expected = frame[name]
        for found in (text[name], binary[name]):
            if expected.dtype.kind in "fi":
                assert found.astype(float).tolist() == pytest.approx(
                    expected.astype(float).tolist(), nan_ok=True
                )
            elif expected.dtype.kind != "b":
                texts = [s.astype(object).where(s.notna(), "") for s in (found, expected)]
                assert texts[0].tolist() == texts[1].tolist()
    assert binary["feasible"].tolist() == frame["feasible"].tolist()


def test_columns_carry_units_and_what_they_are(tmp_path: Path) -> None:
    _written(_plan(tmp_path), "all.parquet")
    schema = pq.read_schema(tmp_path / "all.parquet")
    assert schema.field("ttft").metadata[b"unit"] == b"s"
    assert schema.field("throughput").metadata[b"unit"] == b"tok/s"
    assert schema.field("weights").metadata[b"unit"] == b"B"
    assert b"batch" in schema.field("batch").metadata[b"doc"]
    assert str(schema.field("batch").type) == "int64"


def test_other_tools_read_it(tmp_path: Path) -> None:
    path = _plan(tmp_path)
    session = _written(path, "all.parquet")
    best = duckdb.sql(
        f"select max(throughput) from '{tmp_path / 'all.parquet'}' where feasible and study = 't'"
    ).fetchall()
    (study,) = (found for found in session.results.studies if found.study.name == "t")
    assert best == [(pytest.approx(study.best.throughput),)]


def test_the_order_is_that_of_the_plan_whoever_is_first(tmp_path: Path, monkeypatch) -> None:
    path = _plan(tmp_path)
    for place in ("executors.WORTH_PROCESSES", "plans.WORTH_PROCESSES"):
        monkeypatch.setattr(f"specc.run.{place}", 0.0)
    alone, beside = (_written(path, f"{jobs}.parquet", jobs) for jobs in (1, 2))
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert alone.results.to_json() == beside.results.to_json()


def test_results_keep_what_is_shown(tmp_path: Path, monkeypatch) -> None:
    """The recommendation and its figures are those of a run that keeps all."""
    monkeypatch.setattr("specc.run.plans.MOST_KEPT", 1)
    monkeypatch.setattr("specc.run.plans.LEAST_KEPT", 1)
    path = _plan(tmp_path)
    path.write_text(
        path.read_text()
        .replace("devices = 2", "devices = 4")
        .replace("[1, 2]", "[1, 2, 4]; pp = [1, 2]")
    )
    streamed = _written(path, "all.csv").results
    whole = Session(path)
    whole.runner = Runner()
    for few, all_ in zip(streamed.studies, whole.results.studies, strict=True):
        assert len(few.candidates) + few.streamed == len(all_.candidates)
        assert few.best.throughput == all_.best.throughput
        assert len(few.configurations) + few.omitted == len(all_.configurations) + all_.omitted
    assert sum(study.streamed for study in streamed.studies) > 0
    text = Session(path)
    text.__dict__["results"] = streamed
    assert "more are in the table of all candidates" in text.report.files["plan.report.html"]
    again = tmp_path / "again.json"
    again.write_text(streamed.to_json())
    assert load_results(again).to_json() == streamed.to_json()


def test_what_is_no_table(tmp_path: Path, specc, monkeypatch) -> None:
    with (
        pytest.raises(WriteError, match=r"\.csv or \.parquet"),
        candidate_table(tmp_path / "all.txt", ()),
    ):
        pass
    with pytest.raises(WriteError), candidate_table(tmp_path / "no" / "all.csv", ()):
        pass
    _plan(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "error[E0006]" in specc("run", "plan.spec", "--table", "plan.spec", code=2).stderr
    assert "name it so" in specc("run", "plan.spec", "--table", "all.xls", code=2).stderr
    specc("run", "plan.spec", "--table", "all.csv", "--out", "out", "-q")
    assert (tmp_path / "all.csv").read_text().count("\n") == 1 + 26


def test_nothing_is_half_written(tmp_path: Path) -> None:
    """An interrupted run leaves no table, and none of what was there is lost."""
    path = _plan(tmp_path)
    (tmp_path / "all.csv").write_text("as it was")
    code = (
        "import os, signal, sys; from specc.outputs import table; from specc.cli import main\n"
        "write = table._Csv.write\n"
        "def killed(self, rows):\n"
        "    write(self, rows)\n"
        "    if self.file.tell() > 2000: os.kill(os.getpid(), signal.SIGINT)\n"
        "table._Csv.write = killed\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(path), "--table", "all.csv", "--jobs", "1"],
        cwd=tmp_path, check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert (tmp_path / "all.csv").read_text() == "as it was"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".specc")] == []


def test_the_rows_of_the_json_are_numbers(tmp_path: Path) -> None:
    """Results hold no value of numpy: what a table writes is what a file has."""
    session = _written(_plan(tmp_path, 2), "all.csv")
    assert json.loads(session.results.to_json())["studies"][0]["streamed"] >= 0
