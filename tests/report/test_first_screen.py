"""The first screen: what it says agrees with the results, and with itself."""

import re
from pathlib import Path

import pytest
from attrs import evolve

from specc.outputs import terminal
from specc.outputs.material import Material
from specc.report.document import Figures, Odds
from specc.report.format import digits_of, significant
from specc.report.odds import COIN_FLIP, in_words, odds
from specc.results import StudyResult, load_results
from specc.session import Session
from tests.conftest import ROOT

RESULTS = sorted((ROOT / "specs").glob("*.result.json"))
HEAD = """use std.devices
use std.models
"""
CHEAPER = (
    HEAD
    + """device ours extends atlas_800_a3_752t_die { price = 14 CNY/h }
device ours2 extends atlas_800_a2_376t { price = 9 CNY/h }
workload w { input = 2000 tok; output = 500 tok; slo { ttft <= 2 s; tpot <= 40 ms } }
deployment a { model = qwen3_32b; device = ours; devices = 8 }
deployment b extends a { device = ours2 }
study s { workload = w; deployments = [a, b] }
"""
)


def _card(material: Material) -> Figures:
    return next(b for b in material.document.blocks if isinstance(b, Figures))


def _finding(card: Figures, title: str) -> str:
    return next((f.text for f in card.findings if f.title == title), "")


@pytest.fixture
def card_of(tmp_path: Path):
    def run(text: str) -> tuple[Figures, Session]:
        (tmp_path / "plan.spec").write_text(text)
        session = Session(tmp_path / "plan.spec")
        return _card(session.material), session

    return run


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name.partition(".")[0])
def test_every_example_says_what_a_reviewer_asks(path: Path) -> None:
    material = Material(load_results(path))
    card = _card(material)
    study = material.results.studies[0]
    titles = [finding.title for finding in card.findings]
    assert "Rests on" in titles
    if study.study.servers:
        return
    assert "Cost" in titles
    assert 2 <= len(card.figures) <= 4
    if not study.study.settings:
        assert {"How sure", "Breaks first", "Runner-up"} <= set(titles)
        assert str(_devices(study)) in card.headline + _finding(card, "Cost")
        assert study.best.instances[0].device in card.headline
    shown = terminal.write(material)
    assert all(finding.text in shown for finding in card.findings)
    assert card.headline in shown


def _devices(study: StudyResult) -> int:
    """Return the devices of the recommendation: of those that carry a rate which is asked for."""
    best, capacity = study.best, study.simulations[0].capacity if study.simulations else None
    if capacity is None or capacity.instances is None:
        return best.devices
    return best.devices // best.instance_count * capacity.instances


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name.partition(".")[0])
def test_an_interval_holds_its_figure(path: Path) -> None:
    """As they are shown: rounding may not put a figure outside of its own interval."""
    for figure in _card(Material(load_results(path))).figures:
        if figure.interval:
            low, high = (_number(part, figure.unit) for part in figure.interval.split(" to "))
            assert low <= _number(f"{figure.value} {figure.unit}", figure.unit) <= high, figure


def _number(text: str, unit: str) -> float:
    number = float(re.match(r"[\d,.]+", text).group(0).replace(",", ""))
    own = text.rpartition(" ")[2] if " " in text else unit
    return number * {"s": 1000.0}.get(own, 1.0)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name.partition(".")[0])
def test_a_coin_flip_is_amber_and_says_so(path: Path) -> None:
    for figure in _card(Material(load_results(path))).figures:
        flips = "coin flip" in figure.probability
        assert (figure.odds is Odds.FLIP) is flips
        assert ("less often than not" in figure.probability) <= (figure.odds is Odds.AGAINST)


def test_odds_at_their_edges() -> None:
    assert odds(None) is None
    assert [odds(p) for p in (0.2, 0.494, 0.497, 0.5, COIN_FLIP - 0.006, COIN_FLIP, 0.99)] == [
        Odds.AGAINST, Odds.AGAINST, Odds.FLIP, Odds.FLIP, Odds.FLIP, Odds.LIKELY, Odds.SURE,
    ]  # fmt: skip
    assert in_words(0.52) == "52 %, a coin flip"
    assert in_words(0.31) == "31 %, less often than not"
    assert in_words(0.999) == "> 99 %"


def test_digits_are_those_that_the_interval_allows() -> None:
    assert significant(121291, digits_of(121291, (103000, 139500))) == "121,000"
    assert significant(2456, digits_of(2456, (1363, 4424))) == "2,500"
    assert significant(995, digits_of(995, (972, 996))) == "995"
    # They tell on which side of its limit a figure is.
    assert significant(49.96, digits_of(49.96, (26, 85), 50)) == "49.96"
    assert significant(50.4, digits_of(50.4, (26, 85), 50)) == "50.4"
    assert significant(9.996, 3) == "10.0"
    assert significant(0.0, 3) == "0"


def test_a_runner_up_that_costs_less_is_named(card_of) -> None:
    card, session = card_of(CHEAPER)
    (study,) = session.results.studies
    best, other = study.best, study.best_of("b")
    assert best.deployment == "a"
    share = 1 - other.cost_per_million_tokens / best.cost_per_million_tokens
    assert share > 0.2
    said = _finding(card, "Runner-up")
    assert "b with" in said
    assert f"{100 * share:.0f} % less cost a token" in said
    assert "CNY an hour" in _finding(card, "Cost")


def test_cost_stands_where_it_is_known_and_its_lack_where_it_is_not(card_of) -> None:
    text = CHEAPER.replace("ours2 extends atlas_800_a2_376t { price = 9 CNY/h }",
                           "ours2 extends atlas_800_a2_376t { power = 400 W }")  # fmt: skip
    card, session = card_of(text)
    assert session.results.studies[0].best.deployment == "a"
    assert "CNY a million output tokens" in _finding(card, "Cost")
    card, _ = card_of(text.replace("deployments = [a, b]", "deployments = b"))
    assert "the spec gives no price of ours2" in _finding(card, "Cost")


def test_idle_devices_are_named(card_of) -> None:
    text = (
        HEAD
        + """workload w { input = 500 tok; output = 100 tok; slo { tpot <= 50 ms } }
    deployment d {
        model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 4; parallel { tp = 4 }
        fleet { devices = 22 }
    }
    study s { workload = w; deployments = d; simulate = none; sensitivity = none }
    """
    )
    card, session = card_of(text)
    assert session.results.studies[0].best.devices == 20
    said = _finding(card, "Cost")
    assert "20 dies = 10 cards in" in said
    assert "2 of the 22 devices of the fleet stay idle." in said
    assert "12 dies of 2 servers stay free." in said


def test_nothing_feasible_has_no_figures(card_of) -> None:
    card, _ = card_of(CHEAPER.replace("tpot <= 40 ms", "tpot <= 1 ms"))
    assert not card.good
    assert not card.figures
    assert [finding.title for finding in card.findings] == ["Nearest", "What would help"]


def test_a_sweep_is_one_section_and_says_where_the_winner_changes() -> None:
    material = Material(load_results(ROOT / "specs" / "vision-chat.result.json"))
    card = _card(material)
    winners = {(s.best.deployment, s.best.instances[0].parallel) for s in material.results.studies}
    assert len(winners) == 2
    assert "in 8 of 9 variants" in card.headline
    assert "TP 4, DP 2 with (screenshots.images.count = 4" in _finding(card, "Winner changes")


def test_unmet_expectations_come_first() -> None:
    material = Material(load_results(ROOT / "specs" / "qwen3-32b-chat.result.json"))
    (study,) = material.results.studies
    from specc.results import Verdict

    missed = evolve(study, verdicts=(Verdict("best.tpot <= 1 ms", False, "it is 47 ms", ""),))
    results = evolve(material.results, studies=(missed,))
    first = _card(Material(results)).findings[0]
    assert (first.title, first.text) == ("Expectations", "1 of 1 expectation not met.")


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name.partition(".")[0])
def test_the_first_screen_says_what_the_simulation_saw(path: Path) -> None:
    """What a recommendation is shown with is what was simulated of it, at the same load."""
    for study in load_results(path).studies:
        best, simulated = study.best, study.simulations[0] if study.simulations else None
        if best is None or simulated is None:
            continue
        metrics = simulated.metrics
        assert best.devices == simulated.devices
        assert best.throughput == pytest.approx(metrics.throughput)
        for mine, theirs in ((best.ttft, metrics.ttft), (best.tpot, metrics.tpot)):
            if mine is not None and theirs is not None:
                assert mine == pytest.approx(theirs.mean)
        for kept in best.slo:
            if kept.fast is not None:
                assert kept.fast <= kept.value <= kept.slow
            if kept.probability is not None and kept.met:
                assert kept.probability >= 0.5
        capacity = simulated.capacity
        if capacity is not None and capacity.rate and capacity.slow and capacity.fast:
            assert capacity.slow <= capacity.rate <= capacity.fast
            assert all(
                seen.attainment >= capacity.target
                for seen in capacity.curve
                if seen.rate < capacity.curve_rate
            )
