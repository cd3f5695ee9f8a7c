"""The document of a report: its blocks, and that every output shows the same ones."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from attrs import evolve, fields

from specc.outputs import html, markdown, terminal
from specc.outputs.material import Material
from specc.outputs.registry import OUTPUTS, render
from specc.report.document import (
    Chart,
    Depth,
    Figures,
    Heading,
    Note,
    Remarks,
    ReportBlock,
    Table,
    Terms,
    Text,
)
from specc.report.sections import CLOSING, MEASURED, SECTIONS, SIMULATION_SECTIONS, SWEPT
from specc.results import load_results
from specc.session import Session
from tests.conftest import ROOT

RESULTS = sorted((ROOT / "specs").glob("*.result.json"))


def _material(path: Path) -> Material:
    return Material(load_results(path))


def _of(name: str) -> Material:
    return _material(ROOT / "specs" / f"{name}.result.json")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name.partition(".")[0])
def test_the_ids_of_a_document_are_unique_and_safe(path: Path) -> None:
    ids = [block.id for block in _material(path).document.blocks]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in ids)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name.partition(".")[0])
def test_a_table_has_a_cell_for_each_column(path: Path) -> None:
    tables = [b for b in _material(path).document.blocks if isinstance(b, Table)]
    assert tables
    for table in tables:
        assert table.rows, table.id
        assert {len(row.cells) for row in table.rows} == {len(table.columns)}, table.id


class _Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "caption":
            self.found += [value or "" for name, value in attrs if name == "id"]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name.partition(".")[0])
def test_the_page_shows_every_block_under_its_id_in_order(path: Path) -> None:
    material = _material(path)
    parser = _Ids()
    parser.feed(html.write(material))
    assert parser.found == [block.id for block in material.document.blocks]


def test_markdown_shows_the_tables_and_pictures_of_its_depth_in_order() -> None:
    material = _of("chat-fleet")
    shown = [b for b in material.document.down_to(Depth.REPORT) if isinstance(b, Table | Chart)]
    text = markdown.write(material).replace("\\", "")
    places = [
        text.index(f"**{block.title}**" if isinstance(block, Table) else f"/{block.id}-light.svg")
        for block in shown
    ]
    assert places == sorted(places)
    deeper = [b.id for b in material.document.blocks if b.depth > Depth.REPORT]
    assert deeper
    assert not any(name in text for name in deeper)


def test_a_terminal_shows_the_summary_alone() -> None:
    material = _of("qwen3-32b-chat")
    text = terminal.write(material)
    for block in material.document.blocks:
        if isinstance(block, Table):
            assert (block.title in text) is (block.depth == Depth.SUMMARY), block.id
    assert "Concurrency" not in text  # a detail


def test_a_terminal_shows_twenty_rows_and_says_so() -> None:
    material = _of("qwen3-32b-chat")
    table = next(b for b in material.document.blocks if b.id.endswith("-candidates"))
    assert isinstance(table, Table)
    long = evolve(table, rows=table.rows * 3)
    text = terminal.shown([long])
    assert text.count("TP=8") + text.count("TP=4") + text.count("TP=2") + text.count("TP=1") == 20
    assert f"{len(long.rows) - 20} more rows" in text


def test_notes_of_tables_and_pictures_are_shown_everywhere() -> None:
    material = _of("chat-fleet")
    note = markdown.write(material).replace("\\", "")
    text = " ".join(terminal.write(material).split())
    for block in material.document.down_to(Depth.REPORT):
        if isinstance(block, Table | Chart) and block.note:
            assert block.note in note, block.id
            if isinstance(block, Table) and block.depth == Depth.SUMMARY:
                assert " ".join(block.note.split()) in text, block.id


def test_of_a_sweep_a_terminal_shows_one_table() -> None:
    material = _of("coding-agent")
    shown = list(material.document.down_to(Depth.SUMMARY))
    swept = [b.id for b in shown if b.id.startswith("worth_of_the_cache")]
    assert swept == [
        "worth_of_the_cache",
        "worth_of_the_cache-question",
        "worth_of_the_cache-recommendation",
        "worth_of_the_cache-sweep-variants",
    ]


def test_an_unmet_expectation_of_a_variant_is_in_the_summary(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    text = small_spec().rstrip().removesuffix("}")
    path.write_text(f"""{text}
        sweep chat.slo.tpot in [30 ms, 50 ms]
        expect best.tpot <= 31 ms
    }}""")
    document = Session(path).material.document
    tables = [b for b in document.down_to(Depth.SUMMARY) if b.id.endswith("-expectations")]
    assert [b.title for b in tables if isinstance(b, Table)] == [
        "Expectations, chat.slo.tpot = 50 ms"
    ]


def test_a_section_is_a_module_of_its_own_and_listed_once() -> None:
    listed = {
        section.__module__
        for section in (*SECTIONS, *SIMULATION_SECTIONS, *SWEPT, *MEASURED, *CLOSING)
    }
    folder = ROOT / "specc" / "report" / "sections"
    modules = {f"specc.report.sections.{path.stem}" for path in folder.glob("*.py")}
    assert listed == modules - {"specc.report.sections.__init__"}
    assert len(set(SECTIONS)) == len(SECTIONS)


def test_an_output_is_a_module_of_its_own() -> None:
    assert {output.write.__module__ for output in OUTPUTS} == {
        f"specc.outputs.{output.name}" for output in OUTPUTS
    }


def test_a_run_writes_the_usual_outputs_and_their_pictures() -> None:
    material = _of("qwen3-32b-chat")
    report = render(material)
    usual = [f"qwen3-32b-chat{output.ending}" for output in OUTPUTS if output.ending]
    assert list(report.files)[: len(usual)] == usual
    charts = [b for b in material.document.down_to(Depth.REPORT) if isinstance(b, Chart)]
    assert len(report.files) == len(usual) + 2 * len(charts) + 1  # and the manifest


def test_templates_know_every_kind_of_block_and_its_documentation_all_fields() -> None:
    text = (ROOT / "templates" / "README.md").read_text()
    page = (ROOT / "templates" / "report.html.j2").read_text()
    note = (ROOT / "templates" / "report.md.j2").read_text()
    blocks = ReportBlock.__subclasses__()
    assert set(blocks) == {Heading, Text, Figures, Remarks, Table, Chart, Note, Terms}
    for block in blocks:
        assert f'"{block.kind}"' in page
        assert f'"{block.kind}"' in note
        (row,) = re.findall(rf"^\| `{block.__name__}` \| `{block.kind}` \| (.*) \|$", text, re.M)
        for field in fields(block):
            assert f"`{field.name}`" in (row if field.name not in ("id", "depth") else text)
