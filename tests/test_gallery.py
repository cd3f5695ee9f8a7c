"""The gallery in specs/README.md: what each example asks, what its report answers, and a picture.

Write it anew with: python -m tests.test_gallery
"""

import re

import pytest

from specc.outputs.material import Material
from specc.report.document import Chart, Depth, Figures
from specc.results import load_results
from tests.conftest import ROOT

README = ROOT / "specs" / "README.md"
BEGIN, END = "<!-- gallery -->\n", "<!-- end of the gallery -->"
# What each example shows beside others.
PICTURES = {
    "qwen3-32b-chat": "server_choice-frontier",
    "chat-fleet": "devices_for_the_load-sensitivity",
    "deepseek-v3-pd-ratio": "ratio-decode-step",
    "conversation-trace": "instances_for_the_hour-capacity",
    "coding-agent": "worth_of_the_cache-sweep",
    "vision-chat": "image_size-sweep",
    "code-completion": "cheapest-frontier",
    "deepseek-v3-supernode": "expert_width-curves",
    "chat-and-batch": "shared_fleet-requests-cdf",
    "document-summaries": "together_or_apart-requests",
    "qwen3-235b-phases": "prompts-sweep",
    "admission-experiment": "admission-state",
    "qwen3-32b-test-device": "layouts-memory",
}


def gallery() -> str:
    """Return the gallery as Markdown."""
    parts = []
    for name, picture in PICTURES.items():
        material = Material(load_results(ROOT / "specs" / f"{name}.result.json"))
        blocks = list(material.document.down_to(Depth.REPORT))
        card = next(block for block in blocks if isinstance(block, Figures))
        chart = next(b for b in blocks if isinstance(b, Chart) and b.id == picture)
        asks = (ROOT / "specs" / f"{name}.spec").read_text().splitlines()[0].removeprefix("# ")
        folder = ROOT / "specs" / f"{name}.launch"
        launch = f", [launch]({name}.launch/README.md)" if folder.is_dir() else ""
        parts.append(
            f"### [{name}]({name}.spec)\n{asks}\n\n> {card.headline}\n\n"
            f"![{chart.title}]({name}.report.charts/{picture}-light.svg)\n\n"
            f"[report]({name}.report.md){launch}\n"
        )
    return "\n".join(parts)


def test_the_gallery_is_current() -> None:
    text = README.read_text()
    assert text.partition(BEGIN)[2].partition(END)[0] == gallery()


def test_every_example_is_in_the_gallery() -> None:
    specs = {path.stem for path in (ROOT / "specs").glob("*.spec")}
    assert set(PICTURES) == specs


@pytest.mark.parametrize("name", PICTURES)
def test_what_it_shows_is_there(name: str) -> None:
    assert (ROOT / "specs" / f"{name}.report.charts" / f"{PICTURES[name]}-light.svg").is_file()


def test_pictures_of_the_readme_are_there() -> None:
    for name in re.findall(r"\]\((specs/[^)]+\.png)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / name).is_file()


if __name__ == "__main__":
    head, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{head}{BEGIN}{gallery()}{END}{rest.partition(END)[2]}")
