"""Reports: their text, that they are the same every time, self-contained, and written whole."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from specc.outputs.material import Material
from specc.outputs.registry import render as outputs_of
from specc.report.format import (
    duration,
    gibibytes,
    milliseconds,
    percent,
    rate,
    significant,
    size,
)
from specc.results import load_results, rounded
from specc.results.frame import listed
from specc.session import Session
from tests.conftest import ROOT


@pytest.fixture
def render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Render the report of the text of a spec."""

    def run(text: str, folder: str = "a") -> dict[str, str]:
        path = tmp_path / folder / "plan.spec"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        monkeypatch.chdir(path.parent)
        return Session(Path("plan.spec")).report.files

    return run


def test_the_markdown_report(render, small_spec, snapshot) -> None:
    assert _without_hashes(render(small_spec())["plan.report.md"]) == snapshot


def _without_hashes(text: str) -> str:
    return re.sub(r"[0-9a-f]{64}", "…", text)


def test_the_result_file(render, small_spec, snapshot) -> None:
    result = json.loads(_without_hashes(render(small_spec())["plan.result.json"]))
    tasks = [c["instance"]["task"] for c in result["studies"][0]["candidates"]]
    for candidate in result["studies"][0]["candidates"]:
        task = candidate["instance"].pop("task")
        assert re.fullmatch("[0-9a-f]{16}-[0-9a-f]{8}", task)
        candidate["curve"] = {name: len(values) for name, values in candidate["curve"].items()}
    for configuration in result["studies"][0]["configurations"]:
        (instance,) = configuration.pop("instances")
        assert instance["task"] in tasks
    result["studies"][0]["study"] = "…"
    assert result == snapshot


def test_a_report_without_an_answer(render, small_spec, snapshot) -> None:
    text = render(small_spec(slo="ttft <= 10 ms; tpot <= 5 ms"))["plan.report.md"]
    assert text.partition('### <a id="layouts-inputs"')[0] == snapshot


def test_a_comparison_of_devices(render, snapshot) -> None:
    text = render((ROOT / "specs" / "qwen3-32b-chat.spec").read_text())["plan.report.md"]
    assert text.partition('### <a id="server_choice-plan"')[0] == snapshot


def test_every_file_is_the_same_every_time_and_everywhere(render, small_spec) -> None:
    first, second = render(small_spec(), "a"), render(small_spec(), "b")
    assert first == second
    assert len(first) == 16


def test_no_file_names_a_folder_of_this_machine_or_a_clock(render, small_spec, tmp_path) -> None:
    for text in render(small_spec()).values():
        assert str(tmp_path) not in text
        assert str(ROOT) not in text
        assert not re.search(r"\b20\d\d-\d\d-\d\d\b", text)


class _Resources(HTMLParser):
    """Collects what a page would fetch, and whether its elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = [v or "" for name, v in attrs if name in ("src", "href", "srcset")]
        self.fetched += [link for link in named if not link.startswith("#")]
        if tag not in ("meta", "br", "img", "source", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def test_the_page_is_self_contained_and_well_formed(render, small_spec) -> None:
    page = render(small_spec())["plan.report.html"]
    parser = _Resources()
    parser.feed(page)
    assert parser.fetched == []
    assert parser.open == []
    assert "url(" not in page
    script = page.partition("<script>")[2].partition("</script>")[0]
    assert page.count("<script") == 1
    assert 1000 < len(script.encode()) <= 10_000
    assert not re.search(r"https?:|fetch\(|XMLHttpRequest|import", script)


EXAMPLES = sorted((ROOT / "specs").glob("*.report.html"))


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda path: path.name.partition(".")[0])
def test_the_reports_of_all_modes_are_whole(page: Path) -> None:
    """Those beside the examples, which test_examples keeps current."""
    parser = _Resources()
    parser.feed(page.read_text())
    assert parser.fetched == []
    assert parser.open == []
    text = page.with_suffix(".md").read_text()
    named = re.findall(r'(?:src|srcset)="([^"]+)"', text)
    assert named
    assert all((page.parent / name).is_file() for name in named)
    _check_columns(text)
    assert "None" not in text
    assert "nan" not in re.findall(r"[a-z]+", text)


def test_a_fleet_of_two_phases_in_words(render, snapshot) -> None:
    plan = (ROOT / "specs" / "deepseek-v3-pd-ratio.spec").read_text()
    text = render(plan.replace("requests = 5000", "requests = 1000"))["plan.report.md"]
    assert text.partition('### <a id="ratio-plan"')[0] == snapshot


def test_a_sweep_over_two_fields_has_a_heat_map(render) -> None:
    files = render((ROOT / "specs" / "vision-chat.spec").read_text())
    picture = files["plan.report.charts/image_size-sweep-light.svg"]
    assert picture.count("<rect") == 1 + 9
    assert "curves" not in "".join(name for name in files if "sweep" in name)


def test_a_sweep_over_one_field_has_a_curve(render) -> None:
    files = render((ROOT / "specs" / "coding-agent.spec").read_text())
    picture = files["plan.report.charts/worth_of_the_cache-sweep-light.svg"]
    (points,) = re.findall(r'<polyline points="([^"]+)"', picture)
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert len(heights) == 5
    assert heights == sorted(heights, reverse=True)  # more hits, more throughput


SWEPT = """use std.devices
use std.models
workload w {{ input = 1000 tok; output = 200 tok; slo {{ tpot <= 50 ms }} }}
deployment d {{
    model = qwen3_8b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = 2
    parallel {{ tp = [1, 2] }}
}}
study s {{
    workload = w; deployments = d
    sweep w.output in [{values}]
    expect best.throughput >= {least} tok/s
}}
"""


def _swept(values: int, least: int = 0) -> str:
    outputs = ", ".join(f"{100 * (1 + n)} tok" for n in range(values))
    return SWEPT.format(values=outputs, least=least)


@pytest.mark.parametrize(("values", "whole"), [(9, 9), (10, 1)])
def test_of_many_variants_the_best_is_shown_whole(render, values: int, whole: int) -> None:
    files = render(_swept(values))
    text = files["plan.report.md"]
    assert text.count("</a>s\n") == 1  # the sweep is one section
    page = files["plan.report.html"]
    assert page.count("<summary>") == whole
    assert len(re.findall(r'id="s-\d+-curves"', page)) == whole
    assert not any("-curves-light" in name for name in files)
    result = json.loads(files["plan.result.json"])
    best = max(study["configurations"][0]["throughput"] for study in result["studies"])
    assert len(result["studies"]) == values
    assert ("variants the page shows the best one whole" in text) is (whole == 1)
    if whole == 1:
        assert f"**{significant(best, 3)} tok/s**" in text.partition("### ")[0]


def test_an_expectation_that_a_variant_misses_is_always_shown(render) -> None:
    lines = render(_swept(12))["plan.result.json"]
    served = [s["configurations"][0]["throughput"] for s in json.loads(lines)["studies"]]
    least = round(sorted(served)[2]) + 1  # three variants serve less
    text = render(_swept(12, least), "b")["plan.report.md"]
    verdicts = [line for line in text.splitlines() if "best.throughput" in line]
    assert sum("| NO |" in line for line in verdicts) == 3
    assert not any("| yes |" in line for line in verdicts)


def test_candidates_that_are_not_drawn_have_no_curve(render) -> None:
    text = (ROOT / "specs" / "code-completion.spec").read_text()
    files = render(text)
    (study,) = json.loads(files["plan.result.json"])["studies"]
    with_curve = [c["curve"] is not None for c in study["candidates"]]
    assert 0 < sum(with_curve) < len(with_curve)
    # The frontier is that of all candidates, also of those without a curve.
    tasks = {c["instance"]["task"] for c in study["candidates"]}
    assert {point["task"] for point in study["frontier"]} <= tasks
    assert len(study["frontier"]) > 1


SERVERS = """
workload w {{ input = 100 tok; output = 10 tok }}
server one {{
    step_cost {{
        | step    | size | time  |
        | prefill | 100  | 10 ms |
        | decode  | 1    | 5 ms  |
    }}
}}
study s {{
    workload = w; servers = one
    simulate {{ arrival = poisson(5 req/s); requests = 50 }}
    sweep one.max_sequences in [{values}]
}}
"""


def test_every_variant_of_a_measured_server_is_shown(render) -> None:
    """What is simulated stands nowhere else."""
    files = render(SERVERS.format(values=", ".join(map(str, range(1, 13)))))
    text = files["plan.report.html"]
    assert text.count("<summary>") == 12
    assert text.count(">Simulated requests</caption>") == 12
    assert "no layout meets" not in text
    assert "12 variants of measured servers" in files["plan.report.md"]
    assert "whole:" not in text


def test_a_result_file_without_a_frontier_has_that_of_its_curves(render, small_spec) -> None:
    """As files had it before: all candidates with curves, and no frontier."""
    files = render(small_spec())
    data = json.loads(files["plan.result.json"])
    assert all(c["curve"] for c in data["studies"][0]["candidates"])
    assert data["studies"][0].pop("frontier")
    Path("old.result.json").write_text(json.dumps(data))
    text = outputs_of(Material(load_results("old.result.json"))).files["plan.report.html"]
    of_page = [
        t.partition(">Pareto frontier</caption>")[2] for t in (text, files["plan.report.html"])
    ]
    tables = [t.partition("</table>")[0] for t in of_page]
    assert tables[0] == tables[1]
    assert tables[0].count("<tr>") > 5


def test_an_infeasible_study_tells_the_cheapest_relaxation(render, small_spec) -> None:
    text = render(small_spec(slo="tpot <= 5 ms"))["plan.report.md"]
    assert "The smallest change that makes it feasible" in text
    assert "- **What would help**: With TPOT at" in text


def test_names_cannot_break_out_of_the_page_or_a_table(render, small_spec) -> None:
    text = small_spec().replace("workload chat", "## <b>a|b</b> *x*\nworkload chat")
    files = render(text)
    assert "<b>a" not in files["plan.report.html"]
    assert "\\<b\\>a\\|b" in files["plan.report.md"]


def test_markdown_tables_have_equal_columns(render, small_spec) -> None:
    _check_columns(render(small_spec())["plan.report.md"])


def _check_columns(text: str) -> None:
    width = None
    for line in text.splitlines():
        if not line.startswith("|"):
            width = None
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert width in (None, cells), line
        width = cells


def test_pictures_that_markdown_names_exist(render, small_spec) -> None:
    files = render(small_spec())
    named = re.findall(r'(?:src|srcset)="([^"]+)"', files["plan.report.md"])
    assert len(named) == 12
    assert set(named) <= set(files)


def test_one_changed_number_changes_the_report(render, small_spec) -> None:
    assert (
        render(small_spec())["plan.report.md"]
        != render(small_spec("tpot <= 49 ms"))["plan.report.md"]
    )


def test_the_long_table(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    table = listed(Session(path).results)
    assert list(table["batch"]) == [193, 91, 37, 11]
    assert list(table["reserved"]) == [10 * 2**30] * 4
    assert {"device", "devices", "effective_input", "chunk_budget", "decode_memory"} <= set(table)


def test_the_long_table_of_fleets_has_answers() -> None:
    plan = ROOT / "specs" / "deepseek-v3-pd-ratio.spec"
    table = listed(Session(plan, ["ratio.simulate.requests=500"]).results)
    best = table.iloc[0]
    assert best["devices"] == best["prefill_count"] * best["prefill_devices"] + (
        best["decode_count"] * best["decode_devices"]
    )
    assert best["rate"] <= best["decode_count"] * best["decode_rate"] * (1 + 1e-6)


def test_numbers_as_reports_show_them() -> None:
    assert [milliseconds(s) for s in (0.0498, 15.543, 0.0000123)] == ["49.8", "15,500", "0.0123"]
    assert [duration(s) for s in (0.05, 15.543, 2, 0.0498)] == ["50 ms", "15.5 s", "2 s", "49.8 ms"]
    assert gibibytes(10 * 2**30) == "10.00"
    assert [size(b) for b in (10 * 2**30, 34339348480)] == ["10 GiB", "32 GiB"]
    assert [rate(r) for r in (3875.2, 99.96, 7.25)] == ["3,880", "100", "7.25"]
    assert [percent(p) for p in (0.473, 0.058, 0, 0.9999, 1)] == [
        "47 %", "5.8 %", "0 %", "99.99 %", "100 %",
    ]  # fmt: skip
    assert rounded({"a": [0.1 + 0.2, 1], "b": "x"}) == {"a": [0.3, 1], "b": "x"}
