"""How what a spec leaves open is resolved."""

from pathlib import Path

import attrs
import pytest

from specc import library
from specc.check import check
from specc.engines import Scheduling, rules_of, scheduling_of, takes_turns, with_defaults
from specc.ir import Admission, Engine, MeasuredServer, Scheduler, Software
from specc.report.sections.inputs import inputs
from specc.session import Session
from specc.workspace import Workspace

GIB = 2**30
WHOLE, FIRST = Admission.WHOLE_PROMPT, Admission.FIRST_CHUNK


def server(**settings) -> MeasuredServer:
    return MeasuredServer(**settings)


def test_without_software_the_newest_vllm_counts() -> None:
    expected = Scheduling(
        admission=WHOLE, prefix_caching=True, async_scheduling=True, long_prompt=None
    )
    assert scheduling_of(Engine(), None) == expected
    assert scheduling_of(server(), Scheduler.DECODE_FIRST) == expected


@pytest.mark.parametrize("scheduler", [s for s in Scheduler if s is not Scheduler.DECODE_FIRST])
def test_other_schedulers_are_not_asynchronous(scheduler: Scheduler) -> None:
    assert not scheduling_of(Engine(), scheduler).async_scheduling
    assert not scheduling_of(Engine(software=Software.VLLM), scheduler).async_scheduling


def test_rules_follow_the_version() -> None:
    old = scheduling_of(Engine(software=Software.VLLM, version="0.13"), None)
    assert (old.admission, old.prefix_caching, old.async_scheduling) == (FIRST, True, False)
    older = scheduling_of(server(software=Software.VLLM, version="0.7.3"), None)
    assert (older.admission, older.prefix_caching) == (WHOLE, False)


def test_what_is_written_counts() -> None:
    engine = Engine(
        software=Software.MINDIE,
        admission=FIRST,
        prefix_caching=True,
        async_scheduling=True,
        long_prefill_token_threshold=512,
    )
    assert scheduling_of(engine, None, flat_hits=True) == Scheduling(
        admission=FIRST, prefix_caching=True, async_scheduling=True, long_prompt=512
    )
    off = Engine(prefix_caching=False, async_scheduling=False)
    found = scheduling_of(off, None)
    assert (found.prefix_caching, found.async_scheduling) == (False, False)


def test_a_flat_hit_rate_is_instead_of_caching() -> None:
    assert not scheduling_of(Engine(), None, flat_hits=True).prefix_caching


def test_sequences_that_take_turns_are_not_asynchronous() -> None:
    turns = server(decode_batch=8, max_sequences=9)
    assert takes_turns(turns)
    assert not scheduling_of(turns, Scheduler.DECODE_FIRST).async_scheduling
    for other in (server(decode_batch=9, max_sequences=9), server(), Engine(decode_batch=(1, 8))):
        assert not takes_turns(other)
        assert scheduling_of(other, Scheduler.DECODE_FIRST).async_scheduling


def test_defaults_of_batches_fill_what_is_left_open() -> None:
    ascend = Engine(software=Software.VLLM_ASCEND)
    filled = with_defaults(ascend, 64 * GIB)
    assert (filled.chunk_budget, filled.max_sequences) == (2048, 256)
    assert (ascend.chunk_budget, ascend.max_sequences) == (None, None)
    given = Engine(software=Software.VLLM_ASCEND, chunk_budget=4096, max_sequences=32)
    assert with_defaults(given, 64 * GIB) == given
    for engine in (Engine(), Engine(software=Software.CANN_RECIPES)):
        assert with_defaults(engine, 64 * GIB) == engine


SPEC = """
use std.devices
use std.models
workload chat {{ input = 3500 tok; output = 1500 tok; slo {{ tpot <= 80 ms }} }}
deployment a3 {{
    model = qwen3_8b; device = test_device; devices = 8; parallel {{ tp = 8 }}
    engine {{ {engine} }}
}}
study s {{ workload = chat; deployments = a3; {simulate} }}
"""
POISSON = "simulate { arrival = poisson(1 req/s) }"


def session_of(folder: Path, engine: str, simulate: str = "") -> Session:
    path = folder / "plan.spec"
    path.write_text(SPEC.format(engine=engine, simulate=simulate))
    return Session(path)


@pytest.mark.parametrize(
    ("engine", "budget", "most"),
    [
        ("software = vllm_ascend", 2048, 256),
        ("software = vllm_ascend; chunk_budget = auto; max_sequences = 16", 2048, 16),
        ("software = mindie", 8192, 200),
        ("software = vllm_ascend; chunk_budget = 4Ki tok", 4096, 256),
    ],
)
def test_a_run_takes_the_defaults(tmp_path: Path, engine: str, budget: int, most: int) -> None:
    study = session_of(tmp_path, engine).results.studies[0]
    for candidate in study.candidates:
        settings = candidate.instance.engine
        assert settings.chunk_budget == budget
        assert settings.max_sequences <= most


def test_a_run_without_software_is_as_before(tmp_path: Path) -> None:
    best = session_of(tmp_path, "max_model_length = 8Ki tok").results.studies[0].candidates[0]
    assert best.instance.engine.chunk_budget == 4 * 3500


def rows_of(session: Session) -> dict[str, str]:
    assert session.document is not None
    tables = {table.title: table for table in inputs(session.document.studies[0])}
    return {row.cells[0]: row.cells[1] for row in tables["Deployment a3"].rows}


def test_the_report_lists_defaults_and_whose_they_are(tmp_path: Path) -> None:
    rows = rows_of(session_of(tmp_path, 'software = vllm_ascend; version = "0.18.0"'))
    assert rows["By default of vllm_ascend 0.18.0"] == (
        "chunk_budget = 2,048 tok; max_sequences = 256"
    )
    assert "Version" not in rows
    rows = rows_of(
        session_of(tmp_path, 'software = vllm; version = "0.16"; admission = whole_prompt', POISSON)
    )
    assert rows["By default of vllm 0.14.0"] == (
        "chunk_budget = 2,048 tok; max_sequences = 256; prefix_caching = true; "
        "async_scheduling = true"
    )
    assert rows["Version"] == "vllm 0.16 is not known; 0.14.0, the nearest older one, counts"
    rows = rows_of(session_of(tmp_path, "max_sequences = 8", POISSON))
    assert not any(name.startswith("By default") for name in rows)


@pytest.mark.parametrize(
    ("engine", "field", "value"),
    [
        ("prefix_caching = auto; async_scheduling = auto", "prefix_caching", None),
        ("prefix_caching = false", "prefix_caching", False),
        ("admission = auto", "admission", None),
        ("admission = first_chunk", "admission", FIRST),
        ("software = auto", "software", None),
        ("software = sglang", "software", Software.SGLANG),
        ("long_prefill_token_threshold = 1Ki tok", "long_prefill_token_threshold", 1024),
    ],
)
def test_the_language(tmp_path: Path, engine: str, field: str, value: object) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(SPEC.format(engine=engine, simulate=""))
    document, diagnostics = check(Workspace(tmp_path), path)
    assert document is not None, diagnostics
    assert getattr(document.studies[0].deployments[0].engine, field) == value


@pytest.mark.parametrize(
    ("software", "version", "caches"),
    [
        (None, "", True),
        (Software.VLLM, "0.24", False),
        (Software.VLLM, "0.26", True),
        (Software.VLLM_ASCEND, "0.18", False),
        (Software.SGLANG, "", True),
    ],
)
@pytest.mark.parametrize("name", ["qwen3_next_80b_a3b", "kimi_k3", "nemotron_3_nano_30b_a3b"])
def test_prefixes_of_hybrids_are_cached_since_some_version(name, software, version, caches) -> None:
    """vLLM's config/model.py: is_prefix_caching_supported."""
    hybrid, dense = library.model(name), library.model("qwen3_32b")
    engine = Engine(software=software, version=version)
    assert scheduling_of(engine, None, model=hybrid).prefix_caching is caches
    assert scheduling_of(engine, None, model=dense).prefix_caching
    asked = attrs.evolve(engine, prefix_caching=True)
    assert scheduling_of(asked, None, model=hybrid).prefix_caching


@pytest.mark.parametrize(
    ("version", "overlaps"), [("0.13", False), ("0.14", False), ("0.18", True), ("", True)]
)
def test_pipeline_stages_are_composed_ahead_since_some_version(version: str, overlaps) -> None:
    engine = Engine(software=Software.VLLM, version=version)
    assert scheduling_of(engine, None, stages=2).async_scheduling is overlaps


def test_what_is_not_known_of_an_engine_is_said_to_be_of_vllm() -> None:
    rules = rules_of(Software.CANN_RECIPES)
    assert set(rules.borrowed) >= {"admission", "prefix_caching", "async_scheduling"}
    assert rules.name_of("admission") == "vllm 0.33.0"
    known = rules_of(Software.VLLM_ASCEND, "0.18")
    assert known.name_of("admission") == "vllm_ascend 0.18.0"
    assert rules_of(None).name_of("admission") == "vllm 0.33.0"
