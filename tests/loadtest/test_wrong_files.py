"""Files that are no results, or results that say nothing."""

import json

import pytest

from specc.loadtest import LoadTestError, read_load_tests
from specc.loadtest.ais_bench import quantity
from specc.workspace import Workspace
from tests.loadtest.files import DETAILED, vllm_file


def refusal(folder, path) -> LoadTestError:
    with pytest.raises(LoadTestError) as raised:
        read_load_tests(Workspace(folder), path)
    assert raised.value.help or raised.value.why or raised.value.message
    return raised.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no JSON object"),
        ("[]", "holds no JSON object"),
        ("3", "holds no JSON object"),
        ('{"a": 1}', "is not the result of a load-test tool that is known"),
        ('{"results_inter_token_latency_s_mean": 1}', "is of llmperf"),
        ('{"avg_latency": 1, "latencies": []}', "is of vllm bench latency"),
        ('{"a":' * 100_000, "is not JSON"),
        ("9" * 5000, "is not JSON"),
    ],
)
def test_what_is_no_result(tmp_path, text, message) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    error = refusal(tmp_path, path)
    assert message in error.message
    assert "vllm bench serve" in error.help


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean_ttft_ms": "fast"}, "'mean_ttft_ms' of 'result.json' is 'fast', not a number"),
        ({"mean_ttft_ms": -1}, "which no run can measure"),
        ({"mean_ttft_ms": float("nan")}, "which no run can measure"),
        ({"mean_ttft_ms": 10**400}, "which no run can measure"),
        ({"duration": "absent"}, "has no 'duration'"),
        ({"completed": 0, "failed": 4}, "all 4 requests failed"),
        ({"completed": 0, "failed": "absent", "num_prompts": "absent"}, "no request succeeded"),
        ({"duration": 0}, "has no duration"),
        # Seconds where milliseconds should be, and the other way round.
        ({"mean_ttft_ms": 100_000.0, "mean_tpot_ms": 200_000.0}, "the units"),
        ({"mean_ttft_ms": 1e-4, "mean_tpot_ms": 2e-4}, "the units"),
        ({**DETAILED, "ttfts": [0.1]}, "are of different lengths"),
        ({**DETAILED, "itls": 3}, "'itls' of 'result.json' is not a list"),
    ],
)
def test_results_that_say_nothing(tmp_path, fields, message) -> None:
    assert message in refusal(tmp_path, vllm_file(tmp_path, **fields)).message


def test_a_run_that_was_cancelled(tmp_path) -> None:
    path = tmp_path / "profile_export_aiperf.json"
    data = {
        "aiperf_version": "0.13.0",
        "input_config": {},
        "is_complete": False,
        "incomplete_reason": "interrupted",
    }
    path.write_text(json.dumps(data))
    assert "was cancelled: interrupted" in refusal(tmp_path, path).message


def test_a_folder_without_results(tmp_path) -> None:
    (tmp_path / "figure.json").write_text('{"data": [], "layout": {}}')
    (tmp_path / "result.pytorch.json").write_text("{}")
    assert "no file in" in refusal(tmp_path, tmp_path).message
    assert "no benchmarks" in _guidellm(tmp_path, {"benchmarks": []})


def _guidellm(folder, data) -> str:
    path = folder / "benchmarks.json"
    path.write_text(json.dumps({"metadata": {"guidellm_version": "0.8.1"}, **data}))
    return refusal(folder, path).message


@pytest.mark.parametrize("text", ["12 parsec", "fast ms", "1.2.3 ms", "ms", ""])
def test_texts_with_units_that_are_none(text) -> None:
    with pytest.raises(LoadTestError):
        quantity(text, {"ms": 1e-3}, "TTFT")


def test_texts_with_units() -> None:
    assert quantity("1,722.22 ms", {"ms": 1e-3}, "TTFT") == pytest.approx(1.72222)
    assert quantity(3, {"": 1.0}, "N") == 3
