"""Every metric stands once: what is added to the registry is everywhere."""

from pathlib import Path

import pytest
from attrs import fields, fields_dict

from specc.ir import Layout, facts
from specc.ir.documentation import markdown
from specc.ir.facts import Better, Digits, Fact
from specc.results.files import results_from
from specc.results.frame import listed
from specc.serving import ServingTable
from specc.session import Session
from specc.units import BYTES, DIMENSIONLESS, TIME, TOKENS

ADDED = Fact(
    name="tokens_per_cache",
    title="Tokens per cache",
    unit="tok/s/GiB",
    definition="Throughput over the KV cache of a device.",
    dimension=TOKENS / TIME / BYTES,
    digits=Digits.QUANTITY,
    better=Better.MORE,
    configuration=lambda c: c.throughput / c.instances[0].point.memory.kv_cache,
    instance=lambda i: i.point.throughput / i.point.memory.kv_cache,
)


def ended(text: str, statement: str) -> str:
    """Return a spec with a statement at the end of its study."""
    end = text.rindex("}")
    return f"{text[:end]}; {statement} }}"


def test_a_metric_is_added_in_one_place(
    tmp_path: Path, small_spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "FACTS", (*facts.FACTS, ADDED))
    path = tmp_path / "plan.spec"
    path.write_text(ended(small_spec(), "expect best.tokens_per_cache > 100 tok/s / 1 GiB"))
    results = Session(path).results
    best = results.studies[0].best
    assert best is not None
    known = best.throughput / best.instances[0].point.memory.kv_cache
    assert listed(results)["tokens_per_cache"][0] == pytest.approx(known, rel=1e-8)
    (verdict,) = results.studies[0].verdicts
    assert verdict.met
    assert "best.tokens_per_cache is " in verdict.seen
    assert "tokens_per_cache" in markdown()
    assert results.header.definitions["tokens_per_cache"] == ADDED.definition
    table = listed(results)
    values = dict(zip(table["parallel"], table["tokens_per_cache"], strict=True))
    limit = sorted(values.values())[2] * 0.999
    text = small_spec(extra=f"search {{ limits {{ tokens_per_cache >= {limit!r} tok/s / 1 B }} }}")
    path.write_text(text)
    (limited,) = Session(path).results.studies
    kept = {c.layout for c in limited.configurations if c.feasible}
    assert kept == {name for name, value in values.items() if value >= limit}
    assert 0 < len(kept) < len(values)


def test_names_are_unique_and_every_fact_has_a_place() -> None:
    names = [fact.name for fact in facts.FACTS]
    assert len(names) == len(set(names))
    assert len({term.name for term in facts.GLOSSARY}) == len(facts.GLOSSARY)
    for fact in facts.FACTS:
        found = fact.configuration or fact.instance or fact.simulation
        assert found, fact.name
        assert bool(fact.simulation) == fact.simulated
        assert fact.phases
    assert all(term.definition for term in facts.glossary(simulated=True))


def test_rows_of_the_search_have_what_they_are_asked_for() -> None:
    for fact in facts.FACTS:
        if not fact.row:
            continue
        head, *rest = fact.row.split(".")
        if head == "layout":
            assert rest[0] in fields_dict(Layout)
            continue
        field = next(f for f in fields(ServingTable) if f.name == head)
        if rest:
            assert field.type is not None
            assert rest[0] in fields_dict(field.type)


def test_facts_are_found_in_results(tmp_path: Path, small_spec) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    best = Session(path).results.studies[0].best
    assert best is not None
    priced = {"cost_per_million_tokens", "energy_per_thousand_tokens"}
    for fact in facts.FACTS:
        for read, owner in ((fact.configuration, best), (fact.instance, best.instances[0])):
            if read is not None and fact.name not in priced:
                assert facts.value(read, owner) is not None, fact.name


@pytest.mark.parametrize("size", ["cp", "dcp", "ep", "moe_tp", "moe_dp", "tp", "pp", "dp"])
def test_every_size_of_a_layout_can_be_limited(tmp_path: Path, small_spec, size: str) -> None:
    path = tmp_path / "plan.spec"
    text = small_spec(extra=f"search {{ limits {{ {size} <= 1 }} }}")
    path.write_text(text.replace("tp = [1, 2, 4, 8]", "tp = [1, 2]; cp = [1, 2]"))
    (study,) = Session(path).results.studies
    kept = [c for c in study.candidates if c.feasible]
    assert all(getattr(c.instance.layout, size) <= 1 for c in kept)
    for candidate in study.candidates:
        broken = getattr(candidate.instance.layout, size) > 1
        assert broken == (size in {miss.limit for miss in candidate.misses})


def test_a_misspelt_path_raises(small_spec, tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(small_spec())
    best = Session(path).results.studies[0].best
    with pytest.raises(AttributeError):
        facts.value("in_flihgt", best)
    assert facts.value("nothing.below", None) is None


PAIRED = """
use std.devices
use std.models
workload w {{ input = 2000 tok; output = 200 tok; slo {{ tpot <= 80 ms }} }}
deployment d {{
    model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 4; mode = pd_ratio
    parallel {{ tp = [2, 4] }}
    fleet {{ {fleet} }}
    {extra}
}}
study s {{ workload = w; deployments = [d] }}
"""


@pytest.mark.parametrize("read", [lambda c: len(c.instances[0].parallel), "in_flight"])
def test_a_metric_of_ones_own_limits_fleets_of_two_phases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: object
) -> None:
    own = Fact(name="own", title="Own", dimension=DIMENSIONLESS, configuration=read)
    monkeypatch.setattr(facts, "FACTS", (*facts.FACTS, own))
    path = tmp_path / "plan.spec"
    path.write_text(PAIRED.format(fleet="devices = 24", extra="search { limits { own <= 0 } }"))
    (study,) = Session(path).results.studies
    assert study.best is None
    assert all("own" in {miss.limit for miss in c.misses} for c in study.configurations)


@pytest.mark.parametrize("mode", ["mode = pd_ratio", "mode = aggregated"])
def test_results_of_a_fleet_that_is_too_small_are_written_again(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "plan.spec"
    text = PAIRED.format(fleet="rate = 4000 req/s; devices = 16", extra="")
    path.write_text(text.replace("mode = pd_ratio", mode))
    written = Session(path).results.to_json()
    assert '"limit": "devices"' in written
    assert results_from(written, "plan.result.json").to_json() == written
