"""`lengths_from`: bins from traces by quantiles and edges, from tables in CSV and YAML."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from specc.ir import Workload

TRACE = "arrived_at,num_prefill_tokens,num_decode_tokens\n"


@pytest.fixture
def workload(checked, tmp_path: Path):
    """Check a workload whose requests are an expression; returns it, or the diagnostics."""

    def run(expression: str, **files: str):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        document, diagnostics = checked(
            "use std.devices\nuse std.models\n"
            f"workload w {{ requests = {expression} }}\n"
            "deployment d { model = qwen3_8b; device = test_device; devices = 1 }\n"
            "study s { workload = w; deployments = d }\n"
        )
        if document is None:
            return diagnostics
        return document.studies[0].workload

    return run


def test_quantiles_have_as_many_requests_each(workload) -> None:
    lengths = [(10 * n, n) for n in range(1, 101)]
    text = TRACE + "".join(f"{n},{a},{b}\n" for n, (a, b) in enumerate(lengths))
    found: Workload = workload('lengths_from("t.csv", bins = 4)', t_csv=text)
    assert [row.share for row in found.requests] == [25, 25, 25, 25]
    assert found.requests[0].input == (10, 251)
    assert found.requests[-1].input == (751, 1001)
    shapes = found.shapes()
    assert [s.input for s in shapes] == [130, 380, 630, 880]  # means of the samples
    assert [s.output for s in shapes] == [13, 38, 63, 88]


def test_equal_lengths_share_a_bin(workload) -> None:
    text = TRACE + "0,7,5\n" * 9 + "0,100,5\n"
    found = workload('lengths_from("t.csv", bins = 8)', t_csv=text)
    assert [(row.share, row.input) for row in found.requests] == [(9, (7, 8)), (1, (8, 101))]


def test_edges(workload) -> None:
    text = TRACE + "".join(f"0,{n},10\n" for n in (5, 50, 500, 5000))
    found = workload('lengths_from("t.csv", edges = [0, 100, 1Ki, 8Ki])', t_csv=text)
    assert [(row.share, row.input) for row in found.requests] == [
        (2, (0, 100)), (1, (100, 1024)), (1, (1024, 8192)),
    ]  # fmt: skip
    tokens = workload('lengths_from("t.csv", edges = [0 tok, 8Ki tok])', t_csv=text)
    assert tokens.requests[0].input == (0, 8192)


def test_another_point_of_the_bins(checked, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TRACE + "0,100,10\n0,300,30\n")
    document, _ = checked(
        "use std.devices\nuse std.models\n"
        'workload w { requests = lengths_from("t.csv", bins = 1); representative = max }\n'
        "deployment d { model = qwen3_8b; device = test_device; devices = 1 }\n"
        "study s { workload = w; deployments = d }\n"
    )
    (shape,) = document.studies[0].workload.shapes()
    assert (shape.input, shape.output) == (300, 30)


BINS = [((1, 2048), (64, 512), 0.6), ((2048, 8192), (1500, 1501), None)]


def _as_bins(found: Workload) -> list[tuple[object, ...]]:
    return [(row.input, row.output, row.prefix_hit) for row in found.requests]


def test_a_table_in_yaml(workload) -> None:
    text = """
- {share: 50%, input: 1 .. 2Ki, output: 64 .. 512, prefix hit: 60%}
- {share: 0.5, input: 2Ki .. 8Ki, output: 1500}
"""
    found = workload('lengths_from("bins.yaml")', bins_yaml=text)
    assert _as_bins(found) == BINS


def test_a_table_in_csv(workload) -> None:
    text = "share,input,output\n3,1 .. 2Ki,64 .. 512\n1,2Ki .. 8Ki,1500\n"
    found = workload('lengths_from("bins.csv")', bins_csv=text)
    assert [s.share for s in found.shapes()] == [0.75, 0.25]
    assert [row.input for row in found.requests] == [(1, 2048), (2048, 8192)]


@pytest.mark.parametrize(
    ("name", "text", "expression", "code", "message"),
    [
        ("t_csv", TRACE + "0,x,5\n", 'lengths_from("t.csv")', "E0004", "line 2 of 't.csv'"),
        ("t_csv", TRACE + "0,0,5\n", 'lengths_from("t.csv")', "E0004", "'num_prefill_tokens'"),
        ("t_csv", TRACE + "0,5\n", 'lengths_from("t.csv")', "E0004", "not as many cells"),
        ("t_csv", TRACE, 'lengths_from("t.csv")', "E0004", "has no rows"),
        ("t_csv", "a,b\n1,2\n", 'lengths_from("t.csv")', "E0004",
         "lacks the columns num_prefill_tokens, num_decode_tokens; it has a, b"),
        ("t_csv", "share,input\n1,2\n", 'lengths_from("t.csv")', "E0004",
         "lacks the column output; it has share, input"),
        ("t_csv", "share,input,output\n1,2,y\n", 'lengths_from("t.csv")', "E0004", "output of"),
        ("t_csv", "share,input,output\n1,2,3\n1,1 .. 9,3\n", 'lengths_from("t.csv")', "E0414",
         "lines 2 and 3"),
        ("t_csv", "share,input,output\n0,2,3\n", 'lengths_from("t.csv")', "E0402", "share of"),
        ("t_csv", "share,input,output\n1,2,3\n", 'lengths_from("t.csv", bins = 2)', "E0415",
         "has bins already"),
        ("t_csv", TRACE + "0,9,5\n", 'lengths_from("t.csv", bins = 0)', "E0402", "'bins'"),
        ("t_csv", TRACE + "0,9,5\n", 'lengths_from("t.csv", bins = 2, edges = [1, 20])', "E0416",
         "'bins' counts"),
        ("t_csv", TRACE + "0,9,5\n", "lengths_from(bins = 2)", "E0401", "name of a file"),
        ("t_csv", TRACE + "0,9,5\n", 'lengths_from("t.csv", 1, [1], 3, 4)', "E0202", "no more"),
        ("t_csv", TRACE + "0,9,5\n", 'lengths_from("t.csv", output = 3)', "E0415", "no effect"),
        ("t_csv", TRACE + "0,9,5\n", "3", "E0301", "a table or a function"),
        ("b_yaml", "- a: [", 'lengths_from("b.yaml")', "E0004", "is not YAML"),
        ("b_yaml", "a: 3", 'lengths_from("b.yaml")', "E0004", "is not a list of rows"),
    ],
)  # fmt: skip
def test_files_that_are_no_lengths(workload, name, text, expression, code, message) -> None:
    diagnostics = workload(expression, **{name: text})
    assert [d.code for d in diagnostics] == [code]
    assert message in diagnostics[0].message


def test_a_real_trace(workload, reference_data: Path) -> None:
    text = (reference_data / "traces" / "splitwise_conv.csv").read_text()
    found = workload('lengths_from("conv.csv")', conv_csv=text)
    rows = [line.split(",") for line in text.splitlines()[1:]]
    shapes = found.shapes()
    assert len(shapes) == 8
    prompts = np.array([int(row[1]) for row in rows])
    mean = sum(s.share * s.input for s in shapes)
    assert mean == pytest.approx(prompts.mean(), rel=1e-3)
    # Bins of a trace are as full as ties between lengths allow.
    assert max(s.share for s in shapes) < 0.15


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t_csv", TRACE + "0,10,1\n1,20,2\n"),
        ("t_csv", "Timestamp,Model,Request tokens,Response tokens\n5,a,10,1\n9,b,20,2\n"),
        ("t_csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,10,1\n"
                  "2023-11-16 18:15:50.9951690,20,2\n"),
        ("t_csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,10,1\n"
                  "2024-05-10 00:00:04.310000+00:00,20,2\n"),
        ("t_jsonl", '{"timestamp": 0, "input_length": 10, "output_length": 1}\n'
                    '{"timestamp": 9, "input_length": 20, "output_length": 2}\n'),
        ("t_tsv", "num_prefill_tokens\tnum_decode_tokens\n10\t1\n20\t2\n"),
        ("t_json", '[{"num_prefill_tokens": 10, "num_decode_tokens": 1},'
                   ' {"num_prefill_tokens": 20, "num_decode_tokens": 2}]'),
        ("t_yaml", "- {input_length: 10, output_length: 1}\n"
                   "- {input_length: 20, output_length: 2}"),
    ],
)  # fmt: skip
def test_traces_as_they_are_published(workload, name: str, text: str) -> None:
    found = workload(f'lengths_from("{name.replace("_", ".")}", bins = 2)', **{name: text})
    assert [(s.input, s.output) for s in found.shapes()] == [(10, 1), (20, 2)]


BIN = {"share": 0.5, "input": "1 .. 2Ki", "output": 1500, "prefix_hit": "60%"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("b_jsonl", json.dumps(BIN)),
        ("b_json", json.dumps([BIN])),
        ("b_tsv", "share\tinput\toutput\tprefix hit\n0.5\t1 .. 2Ki\t1500\t60%\n"),
        ("b_csv", "share,input,output,prefix hit\n0.5,1 .. 2Ki,1500,60%\n"),
    ],
)
def test_tables_of_bins_in_other_formats(workload, name: str, text: str) -> None:
    found = workload(f'lengths_from("{name.replace("_", ".")}")', **{name: text})
    assert _as_bins(found) == [((1, 2048), (1500, 1501), 0.6)]


def test_cells_of_bins_that_may_be_left_empty(workload) -> None:
    text = "share,input,output,prefix_hit\n1,10,1,\n1,20,1,50%\n"
    found = workload('lengths_from("b.csv")', b_csv=text)
    assert [row.prefix_hit for row in found.requests] == [None, 0.5]


SERVER = """
workload w {{ input = 100 tok; output = 10 tok }}
server measured {{ step_cost = {cost} }}
study s {{ workload = w; servers = measured; simulate {{ arrival = {arrival} }} }}
"""
STEPS = "step,size,time\nprefill,1,25 ms\nprefill,100,0.05 s\ndecode,1,20 ms\n"


def test_step_costs_from_a_file(checked, tmp_path: Path) -> None:
    (tmp_path / "steps.csv").write_text(STEPS)
    table = (
        "{ | step | size | time |\n| prefill | 1 | 25 ms |\n| prefill | 100 | 0.05 s |\n"
        "| decode | 1 | 20 ms | }"
    )
    written, _ = checked(SERVER.format(cost=table, arrival="burst").replace("= {", "{"))
    read, diagnostics = checked(SERVER.format(cost='rows_from("steps.csv")', arrival="burst"))
    assert diagnostics == []
    assert read.studies[0].servers == written.studies[0].servers


@pytest.mark.parametrize(
    ("cost", "text", "code", "message"),
    [
        ('rows_from("steps.csv")', STEPS + "decode,2,20\n", "E0303", "time of line 5 of steps.csv"),
        ('rows_from("steps.csv")', STEPS + "decode,2,x\n", "E0004", "time of line 5 of steps.csv"),
        ('rows_from("steps.csv")', STEPS + "decode,2.5,1 s\n", "E0301", "size of line 5"),
        ('rows_from("steps.csv")', STEPS + "decod,2,1 s\n", "E0306", "step of line 5"),
        ('rows_from("steps.csv")', STEPS + "decode,0,1 s\n", "E0402", "size of line 5"),
        ('rows_from("steps.csv")', STEPS + f"decode,{'9' * 5000},1 s\n", "E0004", "size of line 5"),
        ('rows_from("steps.csv")', STEPS + "decode,auto,1 s\n", "E0004", "size of line 5"),
        ('rows_from("steps.csv")', "step,size\n1,2\n", "E0004", "lacks the column time"),
        ('rows_from("none.csv")', STEPS, "E0001", "none.csv"),
        ("rows_from(3)", STEPS, "E0301", "'file' takes a text"),
        ("rows_from()", STEPS, "E0401", "lacks the name of a file"),
        ('lengths_from("steps.csv")', STEPS, "E0301", "takes a table or a function"),
        ("3", STEPS, "E0301", "takes a table or a function"),
    ],
)
def test_step_costs_that_cannot_be_read(
    checked, tmp_path: Path, cost: str, text: str, code: str, message: str
) -> None:
    (tmp_path / "steps.csv").write_text(text)
    _, diagnostics = checked(SERVER.format(cost=cost, arrival="burst"))
    assert code in [d.code for d in diagnostics]
    assert any(message in d.message for d in diagnostics), diagnostics


def test_a_packed_trace_of_rates(checked, tmp_path: Path) -> None:
    (tmp_path / "day.csv.gz").write_bytes(gzip.compress(TRACE.encode() + b"7,10,1\n5,20,2\n"))
    (tmp_path / "steps.csv").write_text(STEPS)
    document, _ = checked(
        SERVER.format(cost='rows_from("steps.csv")', arrival='trace("day.csv.gz")')
    )
    trace = document.studies[0].simulate.arrival.trace
    assert (list(trace.arrival), list(trace.input)) == ([0.0, 2.0], [20, 10])
