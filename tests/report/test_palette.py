"""The palette of charts for eyes that see fewer colours, and on grey paper.

Deuteranopia and protanopia are simulated with the matrices of Machado, Oliveira and Fernandes
(2009, severity 1) on linear RGB. Distances are those of CIE L*a*b*: 10 is plain to see.
"""

import re

import numpy as np
import pytest

from specc.outputs.templates import filled
from specc.report.charts.plot import Line, plotted
from specc.report.charts.shapes import STYLES
from specc.report.document import Chart

EYES = {
    "all colours": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "grey": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
PLAIN, OF_GREY = 18.0, 7.0  # distances that tell two curves apart, and two greys beside each other


def _linear(color: str) -> np.ndarray:
    values = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    x = np.clip(linear, 0, 1) @ TO_XYZ.T / WHITE
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _css(dark: bool) -> str:
    lines = [Line(f"curve {n}", [0.0, 1.0], [n, n + 1.0]) for n in range(STYLES)]
    chart = Chart(id="c", title="c", alt="c", lines=(plotted(("c", "x", "y"), lines),))
    return filled("chart.svg.j2", chart=chart, dark=dark)


def _colors(css: str) -> list[str]:
    return [re.search(rf"\.s{n}{{stroke:(#[0-9a-f]{{6}})}}", css).group(1) for n in range(STYLES)]


def _ground(css: str) -> str:
    return re.search(r'<rect [^>]*fill="(#[0-9a-f]{6})"/>', css).group(1)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_any_two_colours_are_apart_for_every_eye(eye: str, dark: bool) -> None:
    seen = [_lab(EYES[eye] @ _linear(color)) for color in _colors(_css(dark))]
    least = OF_GREY if eye == "grey" else PLAIN
    for n, one in enumerate(seen):
        for m, other in enumerate(seen[:n]):
            assert np.linalg.norm(one - other) >= least, (eye, n, m)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_colour_stands_out_from_the_ground(dark: bool) -> None:
    """A contrast of 3 to 1, as WCAG 2 asks of what is drawn."""
    css = _css(dark)
    weights = np.array([0.2126, 0.7152, 0.0722])
    ground = weights @ _linear(_ground(css))
    for color in _colors(css):
        own = weights @ _linear(color)
        assert (max(own, ground) + 0.05) / (min(own, ground) + 0.05) >= 2.95, color


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_dashes_and_marks_tell_curves_apart_without_colours(dark: bool) -> None:
    css = _css(dark)
    dashes = [re.search(rf"\.curve\.s{n}{{stroke-dasharray:([^}}]+)}}", css).group(1)
              for n in range(STYLES)]  # fmt: skip
    limit = re.search(r"\.limit{[^}]*stroke-dasharray:([^}]+)}", css).group(1)
    assert len({*dashes, limit}) == STYLES + 1
    marks = dict(re.findall(r'd="([^"]+)" class="dot f(\d)"', css))
    assert sorted(marks.values()) == [str(n) for n in range(1, STYLES)]  # and a circle
    assert re.search(r'<circle [^>]*class="dot f0"', css)
