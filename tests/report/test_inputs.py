"""Nothing that a spec sets is hidden in its report."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from specc.diagnostics import Source
from specc.ir.written import quantity_text
from specc.report.sections.inputs import inputs
from specc.session import Session
from specc.syntax import Block, Constraint, parse
from specc.syntax.nodes import Field
from specc.units import BYTES, REQUESTS, TIME, TOKENS, parse_quantity
from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "specs").glob("*.spec"))
SHOWN = ("workload", "deployment", "server", "device")


def fields_of(block: Block, prefix: str = "") -> Iterator[str]:
    """Yield the paths that a block sets, from the syntax tree alone."""
    for statement in block.body:
        if isinstance(statement, Field | Constraint):
            yield f"{prefix}{statement.path.text}"
        elif isinstance(statement, Block) and statement.name is None:
            path = f"{prefix}{statement.kind.text}"
            inner = list(fields_of(statement, f"{path}."))
            yield from inner or [path]


def paths_set(path: Path) -> set[tuple[str, str]]:
    """Return the block and the path of all that a spec sets in the blocks of its studies."""
    tree, _ = parse(Source(path.name, path.read_text(encoding="utf-8")))
    return {
        (block.name.text, field)
        for block in tree.statements
        if isinstance(block, Block) and block.name and block.kind.text in SHOWN
        for field in fields_of(block)
    }


def rows_of(session: Session) -> dict[str, dict[str, str]]:
    """Return the rows of all tables of inputs, by the name of their block."""
    found: dict[str, dict[str, str]] = {}
    assert session.document is not None
    for study in session.document.studies:
        for table in inputs(study):
            own = found.setdefault(table.title.split(" ")[1], {})
            own.update({row.cells[0]: row.cells[1] for row in table.rows})
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_field_of_an_example_is_shown(path: Path) -> None:
    session = Session(path)
    if session.document is None:
        pytest.skip("its trace is not in the project")
    shown = rows_of(session)
    for block, field in paths_set(path):
        if block in shown and not field.startswith("search.limits."):
            assert field in shown[block], (block, field)


def test_what_decides_the_result_is_shown(tmp_path: Path) -> None:
    """Slack and expert parallelism, limits, set by --set, by a base and by a let."""
    path = tmp_path / "plan.spec"
    path.write_text("""
    use std.devices
    use std.models
    let half = 100% / 2
    workload chat { input = 3500 tok; output = 1500 tok; slo { tpot <= 100 ms } }
    deployment base {
        model = qwen3_235b_a22b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 16
        parallel { tp = [4]; ep = [16]; moe_dp = [1]; dcp = [1] }
        engine { chunk_budget = 2Ki tok; scheduler = decode_first_with_slack; slack = half }
    }
    deployment d extends base { search { limits { available >= 4 GiB; cp <= 1 } } }
    study s { workload = chat; deployments = [d] }
    """)
    rows = rows_of(Session(path, ["d.engine.block_size=64tok"]))["d"]
    assert rows["engine.slack"] == "0.5"
    assert rows["parallel.ep"] == "16"
    assert rows["parallel.dcp"] == "1"
    assert rows["engine.chunk_budget"] == "2,048 tok"
    assert rows["engine.block_size"] == "64 tok"
    assert rows["search.limits"] == "available >= 4 GiB; cp <= 1"


def test_what_was_not_set_stands_below_with_its_default(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec(extra="engine { memory_utilization = 90% }"))
    document = Session(path).document
    assert document is not None
    tables = {table.title: table for table in inputs(document.studies[0])}
    note = tables["Deployment eight"].note
    assert "engine.block_size = 128 tok" in note
    assert "mode = aggregated" in note
    assert "engine.memory_utilization" not in note
    # It is not what holds, beside a share of the memory.
    assert "engine.reserved_memory" not in note
    assert "Model" not in "".join(tables)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("1.6 TiB/s", BYTES / TIME),
        ("196 GB/s", BYTES / TIME),
        ("64 GiB", BYTES),
        ("10 GB", BYTES),
        ("50 ms", TIME),
        ("5.5 us", TIME),
        ("15 s", TIME),
        ("2 min", TIME),
        ("20 req/s", REQUESTS / TIME),
        ("0.25 req/s", REQUESTS / TIME),
        ("3,500 tok", TOKENS),
    ],
)
def test_a_quantity_is_written_in_the_unit_a_person_takes(text: str, dimension) -> None:
    value = float(parse_quantity(text.replace(",", "")).value)
    assert quantity_text(value, dimension) == text
