"""Charts against the numbers that they show."""

from pathlib import Path

import pytest

from specc.report.charts.bars import request_bars
from specc.report.document import Chart
from specc.report.format import duration, percent
from specc.results import BinRow
from specc.session import Session


def _row(ttft: float, tpot: float | None, output: int) -> BinRow:
    return BinRow(share=1.0, samples=1, input=10, cached=0, output=output, ttft=ttft, tpot=tpot)


def test_a_bar_is_the_end_to_end_time_in_both_definitions_of_tpot() -> None:
    """2 s until the first token and 100 further tokens of 50 ms: 7 s."""
    gaps = request_bars([_row(2.0, 0.05, 101)], includes_ttft=False)
    spread = request_bars([_row(2.0, 7 / 101, 101)], includes_ttft=True)
    for chart in (gaps, spread):
        (bar,) = chart.bars
        first, decode = bar.segments
        assert (first.text, decode.text, bar.end) == ("2 s", "5 s", "7 s")
        assert first.width / (first.width + decode.width) == pytest.approx(2 / 7, abs=0.001)
        places = [tick.place for tick in chart.ticks]
        per_second = (places[1] - places[0]) / (float(chart.ticks[1].text) or 1)
        assert first.width == pytest.approx(2 * per_second, abs=0.1)  # as the axis says


def test_a_request_of_one_token_has_no_decode() -> None:
    (bar,) = request_bars([_row(2.0, None, 1)], includes_ttft=True).bars
    assert bar.segments[1].width == 0


def test_swept_values_in_several_units_lie_on_one_axis(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    text = small_spec().rstrip().removesuffix("}")
    path.write_text(f"{text}\n    sweep chat.slo.tpot in [0.05 s, 100 ms, 75 ms]\n}}\n")
    charts = [b for b in Session(path).material.document.blocks if isinstance(b, Chart)]
    (line,) = next(chart.lines for chart in charts if chart.id.endswith("-sweep"))
    assert "(s)" in line.x.title
    (series,) = line.series
    points = [float(point.split(",")[0]) for point in series.points.split()]
    values = [(point - line.x.start) / line.x.step for point in points]
    assert values == pytest.approx([0.05, 0.075, 0.1], abs=0.001)


def test_numbers_beside_a_change_of_unit() -> None:
    assert [duration(s) for s in (0.9994, 0.9996, 1.0004)] == ["999 ms", "1 s", "1 s"]
    assert [percent(p) for p in (0.0994, 0.0996, 0.1004)] == ["9.9 %", "10 %", "10 %"]
