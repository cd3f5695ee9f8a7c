"""Plans that are right and unusual: what once ended in a traceback, and what is too much."""

import time
from pathlib import Path

import pytest

from specc.cli.main import main
from specc.ir import cached_tokens
from specc.results import load_results
from specc.run.estimate import LONGEST, MOST_MEMORY, estimate
from specc.session import Session, SpecError

HEAD = "use std.devices\nuse std.models\n"
WORKLOAD = "workload w { input = 3500 tok; output = 500 tok }\n"
PAIR = """deployment d { model = qwen3_32b; device = atlas_800_a2_376t; mode = disaggregated
    prefill { devices = 8 }
    decode { devices = 8 }
    transfer { bandwidth = 10 MB/s }
}
study s { workload = w; deployments = d }
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a spec by the command; returns its exit code and the folder."""
    monkeypatch.chdir(tmp_path)

    def command(text: str, *options: str) -> tuple[int, Path]:
        (tmp_path / "plan.spec").write_text(HEAD + text)
        return main(["run", "plan.spec", *options]), tmp_path

    return command


def test_a_pair_that_its_links_limit(run) -> None:
    code, folder = run(WORKLOAD + PAIR)
    assert code == 0
    assert load_results(folder / "plan.result.json").studies[0].best.bottleneck == "transfer"
    assert "| transfer |" in (folder / "plan.report.md").read_text()


def test_a_priced_device_beside_one_without_a_price(run) -> None:
    """The report is written, and what has no price is not taken for free."""
    code, folder = run(
        WORKLOAD
        + """device priced extends h100 { price = 12 CNY/h }
        deployment a { model = qwen3_8b; device = h100; devices = 1 }
        deployment b { model = qwen3_8b; device = priced; devices = 1 }
        study s { workload = w; deployments = [a, b] }
        """
    )
    assert code == 0
    text = (folder / "plan.report.html").read_text()
    frontier = text[text.index(">Pareto frontier</caption>") :]
    assert "free memory at once" in frontier
    assert "CNY/Mtok" in frontier
    assert ">–</td>" in frontier


@pytest.mark.parametrize(("prompt", "hit"), [(2, 0.999999999), (1, 0.5), (10, 0.9), (4100, 0.6)])
def test_a_hit_rate_leaves_a_token_to_compute(prompt: int, hit: float) -> None:
    found = cached_tokens(prompt, hit)
    assert found == min(prompt - 1, round(prompt * hit - 0.5 + 1e-6))
    assert 0 <= found < prompt


def test_a_fleet_for_hardly_any_requests_has_an_instance(run) -> None:
    code, folder = run(
        WORKLOAD
        + "deployment d { model = qwen3_8b; device = h100; devices = 1\n"
        + "fleet { rate = 1e-6 req/s } }\nstudy s { workload = w; deployments = d }"
    )
    assert code == 0
    assert load_results(folder / "plan.result.json").studies[0].best.devices == 1


def test_steps_that_take_days(run, capsys: pytest.CaptureFixture[str]) -> None:
    """A simulation counts picoseconds in 64 bits; what does not fit is said, and not wrong."""
    code, folder = run(
        WORKLOAD
        + """device slow extends h200 { cube { fp16 = 1 FLOPS } }
        deployment d { model = qwen3_8b; device = slow; devices = 1; calibration = reference }
        study s { workload = w; deployments = d; simulate { arrival = poisson(1 req/s) } }
        """
    )
    assert code == 2
    assert "lasts longer than 60 days" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["plan.spec"]


SIMULATED = "simulate { arrival = poisson(4 req/s); requests = 10000000 }"
SERVED = """workload w { input = 20 tok; output = 500 tok }
server t {
    scheduler = prefill_then_decode
    step_cost {
        | step | size | time |
        | prefill | 1 | 20 ms |
        | decode | 1 | 1 ms |
    }
}
"""
LARGE = {
    "requests": (
        "workload w { input = 3500 tok; output = 500 tok; slo { ttft <= 2 s } }",
        f"study s {{ workload = w; deployments = d; {SIMULATED}; capacity {{ seeds = 100 }} }}",
    ),
    "loops": (
        "workload w { requests {\n| share | input | output |\n| 1 | 100 | 50 |\n| 1 | 9 | 6 |\n} }",
        "study s { workload = w; deployments = d }",
    ),
    "memory": (
        WORKLOAD,
        f"study s {{ workload = w; deployments = d; {SIMULATED} }}",
    ),
    "system prompt": (
        SERVED,
        "study s { workload = w; servers = t; simulate { arrival = burst; requests = 20; "
        "sessions { system_prompt = 1e9 tok } } }",
    ),
    "turns": (
        SERVED,
        "study s { workload = w; servers = t; simulate { arrival = burst; requests = 2000000 } }",
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_run_of_hours_is_not_begun_unasked(
    name: str, run, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = (
        "deployment d { model = qwen3_8b; device = atlas_800_a3_752t_die; devices = 64\n"
        "engine { scheduler = decode_first; chunk_budget = 16Ki tok }\n"
        "search { strategy = exhaustive; method = loop } }\n"
    )
    workload, study = LARGE[name]
    code, folder = run(f"{workload}\n{deployment}{study}")
    said = capsys.readouterr().err
    assert code == 2
    assert "error[E0601]: this run takes about" in said
    assert "with --yes" in said
    assert [path.name for path in folder.iterdir()] == ["plan.spec"]


def test_sizes_that_multiply_are_not_looked_at_one_by_one(
    run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = run(
        WORKLOAD
        + "deployment d { model = qwen3_8b; device = h100; devices = 8; "
        + "parallel { tp = 1 .. 4000; pp = 1 .. 4000; cp = 1 .. 4000 } }\n"
        + "study s { workload = w; deployments = d }"
    )
    assert code == 2
    assert "the sizes to try make 64,000,000,000 combinations" in capsys.readouterr().err


def test_what_is_small_is_estimated_small(tmp_path: Path) -> None:
    spec = tmp_path / "plan.spec"
    spec.write_text(HEAD + WORKLOAD + PAIR)
    found = estimate(Session(spec).plan)
    assert 0 < found.seconds < LONGEST / 100
    assert 0 < found.memory < MOST_MEMORY / 100
    assert not found.is_large


ESTIMATED = {
    "exhaustive": ("", ""),
    "binary": ("search { strategy = binary }", ""),
    "scan": ("search { strategy = scan }", ""),
    "loop": ("engine { scheduler = decode_first }", ""),
    "simulated": ("", "simulate { arrival = poisson(4 req/s); requests = 2000 }"),
}


@pytest.mark.parametrize("name", ESTIMATED)
def test_an_estimate_is_near_what_it_takes(name: str, tmp_path: Path) -> None:
    """Within the factor that E0601 speaks of, and one more for a machine that is slow or fast."""
    engine, simulated = ESTIMATED[name]
    spec = tmp_path / "plan.spec"
    spec.write_text(
        f"{HEAD}{WORKLOAD}deployment d {{ model = qwen3_32b; quant = w8a8_dynamic\n"
        f"device = atlas_800_a3_752t_die; devices = 16; {engine} }}\n"
        f"study s {{ workload = w; deployments = d; {simulated} }}"
    )
    session = Session(spec)
    expected = estimate(session.plan).seconds
    start = time.process_time()
    assert session.report
    took = time.process_time() - start
    assert 0.05 < expected / took < 20, (expected, took)


def test_an_api_user_can_lift_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is that of the estimate, so a low one stands for a large plan."""
    monkeypatch.setattr("specc.run.estimate.LONGEST", 0.0)
    spec = tmp_path / "plan.spec"
    spec.write_text(HEAD + WORKLOAD + PAIR)
    with pytest.raises(SpecError, match="this run takes about 1 minute"):
        _ = Session(spec).results
    assert Session(spec, unlimited=True).results.feasible


def test_an_expectation_on_the_capacity_of_a_trace(run) -> None:
    """What a trace says of its rate is a plain number: numbers of numpy compare to their own."""
    (Path("rows.csv")).write_text(
        "arrived_at,num_prefill_tokens,num_decode_tokens\n6,10,92\n14,1,53\n"
    )
    code, folder = run(
        "workload w { input = 10 tok; output = 90 tok; slo { ttft <= 1 s } }\n"
        "deployment d { model = qwen3_8b; device = h100; devices = 1 }\n"
        'study s { workload = w; deployments = d; simulate { arrival = trace("rows.csv") }\n'
        "capacity { attainment = 90% }\nexpect best.capacity >= 0.001 req/s }"
    )
    capacity = load_results(folder / "plan.result.json").studies[0].simulations[0].capacity
    assert code in (0, 1)
    assert capacity is not None


def test_a_fleet_that_decodes_next_to_nothing(run) -> None:
    """Outputs of one token come with the prompt: the throughput of decode is 0."""
    text = (
        "workload w { input = 1 tok; output = 100 tok; class a { share = 1e-06 }\n"
        "class b { share = 7; output = 1 tok } }\n"
        "deployment d { model = qwen3_30b_a3b; device = ascend_950dt; mode = decode_only; "
        "devices = 2 }\nstudy s { workload = w; deployments = d }\n"
    )
    code, folder = run(text)
    assert code == 0
    assert "Runner-up" in (folder / "plan.report.md").read_text()


@pytest.mark.parametrize("money", ["power = 500 W", "price = 14 CNY/h", ""])
def test_instances_to_which_no_token_is_left(tmp_path: Path, money: str) -> None:
    """Nearly all outputs have one token, which prefill brings: a token costs no known sum."""
    (tmp_path / "plan.spec").write_text(f"""use std.devices
use std.models
device mine extends atlas_800_a3_752t_die {{ {money} }}
workload w {{
    requests {{
        | share    | input | output |
        | 99.9999% | 100   | 1      |
        | 0.0001%  | 100   | 5      |
    }}
    slo {{ tpot <= 500 ms }}
}}
deployment d {{
    mode = decode_only; model = qwen3_8b; device = mine; devices = 4; parallel {{ tp = 1 }}
}}
study s {{ workload = w; deployments = [d] }}
""")
    session = Session(tmp_path / "plan.spec")
    best = session.results.studies[0].configurations[0]
    assert best.throughput == 0
    assert best.cost_per_million_tokens is best.energy_per_thousand_tokens is None
    text = session.report.files["plan.report.md"]
    assert ("56 CNY an hour" in text.partition("**Cost**")[2].partition("\n")[0]) is (
        "price" in money
    )
