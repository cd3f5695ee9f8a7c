"""`specc simulate`: what it prints, writes and refuses, and what is left when it is stopped."""

import json
from pathlib import Path

import pytest

from specc.cli import main
from specc.simulation.engine import SimulatedEngine

SPEC = """
workload small {
    input  = 40 tok
    output = 8 tok
    slo { ttft.p99 <= 200 ms }
}
workload free { input = 40 tok; output = 8 tok }
server measured {
    step_cost {
        | step    | size | time  |
        | prefill | 40   | 25 ms |
        | prefill | 80   | 50 ms |
        | decode  | 1    | 10 ms |
        | decode  | 8    | 14 ms |
    }
}
study steady {
    workload = small; servers = measured
    simulate { arrival = constant(5 req/s); requests = 400 }
}
study at_once { workload = small; servers = measured; simulate { arrival = trace("once.csv") } }
study burst { workload = small; servers = measured; simulate { arrival = burst; requests = 50 } }
study unjudged {
    workload = free; servers = measured
    simulate { arrival = constant(5 req/s); requests = 5 }
}
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "plan.spec"
    path.write_text(SPEC)
    header = "arrived_at,num_prefill_tokens,num_decode_tokens"
    (tmp_path / "once.csv").write_text(f"{header}\n0,40,8\n0,40,8\n")
    return str(path)


def test_a_study(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At 5 requests a second nobody waits: TTFT is the prefill, seven gaps of a decode step."""
    assert main(["simulate", spec, "--study", "steady", "--format", "json"]) == 0
    (study,) = json.loads(capsys.readouterr().out)
    (found,) = study["simulations"]
    metrics = found["metrics"]
    assert metrics["ttft"]["max"] == pytest.approx(0.025)
    assert metrics["tpot"]["p50"] == pytest.approx(0.010)
    assert metrics["latency"]["p99"] == pytest.approx(0.025 + 7 * 0.010)
    assert (metrics["finished"], metrics["attainment"]) == (400, 1.0)


def test_objectives_that_are_missed(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", spec, "--study", "burst"]) == 3
    out = capsys.readouterr().out
    assert "Not all limits hold" in out
    # 50 prompts of 40 tokens are one step, which nobody measured.
    assert "2,000 new tokens" in out


def test_a_capacity_that_was_not_in_the_spec(spec: str, capsys) -> None:
    """Each request takes the server 25 ms, and decodes beside others: about 20 a second."""
    assert main(["simulate", spec, "--study", "steady", "--capacity", "--format", "json"]) == 0
    (study,) = json.loads(capsys.readouterr().out)
    (found,) = study["simulations"]
    capacity = found["capacity"]
    assert 10 < capacity["rate"] < 40
    assert capacity["limiting"] == "ttft.p99 <= 200 ms"
    shares = [point["attainment"] for point in capacity["curve"]]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--study", "burst", "--capacity"], "a burst has no rate to raise"),
        (["--study", "unjudged", "--capacity"], "no objectives"),
        (["--study", "at_once", "--capacity"], "there is no rate to raise"),
        (["--study", "stedy"], "did you mean 'steady'?"),
        (["--study", "steady", "--perfetto", "/dev/null/trace.json"], "cannot write"),
    ],
)
def test_what_is_refused(spec: str, arguments: list[str], said: str, capsys) -> None:
    assert main(["simulate", spec, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_nothing_to_simulate(tmp_path: Path, capsys) -> None:
    path = tmp_path / "plan.spec"
    text = "use std.devices\nuse std.models\nworkload w { input = 10 tok; output = 10 tok }\n"
    text += "deployment d { model = qwen3_8b; device = test_device; devices = 1 }\n"
    path.write_text(text + "study s { workload = w; deployments = d }\n")
    assert main(["simulate", str(path)]) == 2
    assert "no study has a simulation" in capsys.readouterr().err


def test_a_trace_for_perfetto(spec: str, tmp_path: Path, capsys) -> None:
    target = tmp_path / "trace.json"
    assert main(["simulate", spec, "--study", "steady", "--perfetto", str(target)]) == 0
    events = json.loads(target.read_text())["traceEvents"]
    steps = [e for e in events if e["ph"] == "X"]
    assert sum(e["args"]["tokens"] for e in steps) == 400 * 40
    assert sum(e["args"]["steps"] * e["args"]["batch"] for e in steps) == 400 * 7
    begun = [(e["id"], e["name"]) for e in events if e["ph"] == "b"]
    ended = [(e["id"], e["name"]) for e in events if e["ph"] == "e"]
    assert begun == ended
    assert len(begun) == 3 * 400


def test_stopped_by_the_keyboard(spec: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """What was served until then is told, as far as it is known."""
    calls = iter(range(10**9))
    step = SimulatedEngine._record

    def stopping(self, *arguments) -> None:
        if next(calls) == 500:
            raise KeyboardInterrupt
        step(self, *arguments)

    monkeypatch.setattr(SimulatedEngine, "_record", stopping)
    assert main(["simulate", spec, "--study", "steady"]) == 130
    out = capsys.readouterr().out
    assert "of 400 requests of 'measured' were served" in out
    assert "TTFT" in out
