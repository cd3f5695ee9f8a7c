"""The pages of reports in headless Chromium: what they fetch, show, and let one do.

Needs the extra `browser` and a Chromium on the path; skipped without them.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="specc[browser] is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the path")

PAGES = sorted((ROOT / "specs").glob("*.report.html"))
SMALLEST_TEXT = """() => Math.min(...[...document.querySelectorAll('svg text')].map(text => {
    const svg = text.ownerSVGElement, wide = svg.getBoundingClientRect().width;
    return wide ? wide / svg.viewBox.baseVal.width * text.getAttribute('font-size') : 99;
}))"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield found
        found.close()


@pytest.fixture
def page_of(browser):
    contexts = []

    def opened(path: Path, width: int = 1280, scheme: str = "light", *, scripts: bool = True):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name.partition(".")[0])
def test_a_page_is_quiet_accessible_and_fits(page_of, path: Path) -> None:
    looks = [(375, "dark"), (1280, "light")]
    if path.name.startswith(("qwen3-32b-chat", "vision-chat")):
        looks += [(768, "light"), (375, "light"), (1280, "dark")]
    for width, scheme in looks:
        page = page_of(path, width, scheme)
        assert page.said == []
        assert page.asked == [path.as_uri()]
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.evaluate(SMALLEST_TEXT) >= 12 - 0.01


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name.partition(".")[0])
def test_every_chart_is_drawn(page_of, path: Path) -> None:
    page = page_of(path)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    sizes = page.evaluate(
        "[...document.querySelectorAll('section.chart svg')].map(s => s.getBoundingClientRect())"
        ".map(r => [r.width, r.height])"
    )
    assert sizes
    assert all(width > 200 and height > 60 for width, height in sizes)


def _chat(page_of, **options):
    return page_of(ROOT / "specs" / "qwen3-32b-chat.report.html", **options)


def test_tooltips_by_mouse_and_by_keyboard(page_of) -> None:
    page = _chat(page_of)
    chart = page.locator("#server_choice-sensitivity svg")
    chart.scroll_into_view_if_needed()
    page.locator("#server_choice-sensitivity [data-tip]").first.hover()
    said = page.locator(".tip").inner_text()
    assert re.search(r"10 % less memory bandwidth: −[\d.]+ %", said)
    page.mouse.move(1, 1)
    lines = page.locator("#server_choice-requests-cdf svg").first
    lines.focus()
    page.keyboard.press("ArrowRight")
    first = page.locator(".tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator(".tip").inner_text() != first
    assert re.search(r"TTFT \(ms\) [\d.,]+, Requests \(%\) [\d.,]+$", first)
    page.keyboard.press("Escape")
    assert not page.locator(".tip").is_visible()


def test_a_tooltip_says_what_the_result_file_says(page_of) -> None:
    """The last point of the distribution of TTFT is its longest."""
    from specc.report.charts.simulation import named
    from specc.results import load_results

    page = _chat(page_of)
    page.locator("#server_choice-requests-cdf svg").first.focus()
    page.keyboard.press("ArrowLeft")
    said = page.locator(".tip").inner_text()
    (study,) = load_results(ROOT / "specs" / "qwen3-32b-chat.result.json").studies
    (own,) = [one for one in study.simulations if said.startswith(f"{named(one)}: ")]
    longest = own.metrics.ttft.max * 1e3
    seen = float(re.search(r"\(ms\) ([\d.,]+),", said).group(1).replace(",", ""))
    assert seen == pytest.approx(longest, rel=0.01)


def test_tables_sort_filter_and_copy(page_of) -> None:
    page = _chat(page_of)
    table = page.locator("#server_choice-candidates")
    cells = table.locator("tbody tr:visible td:nth-child(4)")
    values = [int(text.replace(",", "")) for text in cells.all_inner_texts()]
    table.get_by_role("button", name="Throughput").click()
    rising = [int(text.replace(",", "")) for text in cells.all_inner_texts()]
    assert rising == sorted(values) != values
    assert table.locator("th[aria-sort=ascending]").count() == 1
    table.get_by_role("button", name="Throughput").click()
    assert [int(t.replace(",", "")) for t in cells.all_inner_texts()] == rising[::-1]
    table.get_by_role("searchbox").fill("a2_small")
    assert 0 < cells.count() < len(values)
    page.evaluate("navigator.clipboard.writeText = text => { window.copied = text; "
                  "return Promise.resolve(); }")  # fmt: skip
    table.get_by_role("button", name="Copy").click()
    lines = page.evaluate("window.copied").splitlines()
    assert lines[0].startswith("Deployment,Layout,Batch,Concurrency,Throughput")
    assert len(lines) == 1 + cells.count()
    assert all("a2_small" in line for line in lines[1:])


def test_without_scripts_it_reads_completely(page_of) -> None:
    plain, usual = (_chat(page_of, scripts=scripts) for scripts in (False, True))
    words = set(re.findall(r"[\w.]+", usual.locator("main").inner_text()))
    # What the script adds are the names of its buttons.
    assert words - set(re.findall(r"[\w.]+", plain.locator("main").inner_text())) <= {
        "Copy", "CSV", "Filter",
    }  # fmt: skip


def test_it_prints_on_paper(page_of, tmp_path: Path) -> None:
    page = _chat(page_of)
    page.pdf(path=tmp_path / "a.pdf", format="A4", prefer_css_page_size=True)
    pages = (tmp_path / "a.pdf").read_bytes().count(b"/Type /Page\n")
    assert 3 <= pages <= 25
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator(".tools:visible").count() == 0


def test_hostile_names_stay_text(page_of, tmp_path: Path) -> None:
    from specc.session import Session

    path = tmp_path / "<img src=x onerror=alert(1)>.spec"
    path.write_text(
        (ROOT / "specs" / "qwen3-32b-test-device.spec")
        .read_text()
        .replace("study layouts", "## </script><script>alert(2)</script>\nstudy layouts")
    )
    report = Session(path).report
    name = next(name for name in report.files if name.endswith(".html"))
    (tmp_path / "page.html").write_text(report.files[name])
    page = page_of(tmp_path / "page.html")
    assert page.said == []
    assert "<img src=x" in page.locator("h1").inner_text()
    assert "<script>alert(2)" in page.locator("main").inner_text()
