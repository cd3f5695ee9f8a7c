"""Results that real tools wrote, beside what the server that they drove knew to be true."""

import pytest

from specc.loadtest import read_load_tests
from specc.workspace import Workspace
from tests.loadtest.files import DETAILED, vllm_file

# By run: TTFT, TPOT and latency in ms of the server's own log, output tokens a second, and the
# requests that succeeded and failed; all without warm-ups. Clients add 2 to 24 ms.
TRUTH = {
    "vllm/c8_256_64": (93.046, 29.156, 1929.853, 264.32, 40, 0),
    "vllm/poisson4_512_128": (51.590, 38.769, 4975.199, 354.83, 36, 0),
    "aiperf/c8_256_64": (91.15, 29.156, 1928.3, 263.3, 40, 0),
    "aiperf/poisson4_512_128": (51.435, 41.185, 5281.946, 358.12, 36, 0),
    "aiperf/spec_c8_256_64": (58.488, 13.501, 909.041, 539.61, 32, 0),
    "guidellm/poisson4_512_128": (132.2, 42.58, 5540.4, 383.1, 24, 0),
    "guidellm/fail_c4_200_32": (32.464, 25.274, 954.664, 142.63, 19, 4),
    "evalscope/c8_256_64": (93.0, 29.156, 1930.0, 264.3, 40, 0),
    "evalscope/fail_c4_200_32": (32.594, 23.176, 286.415, 79.48, 10, 2),
    "sglang/c8_256_64": (97.45, 29.16, 1929.8, 264.3, 40, None),
    "sglang/fail_c4_200_32": (36.253, 26.471, 531.471, 126.74, 27, 9),
    "aisbench/c8_256_64": (143.49, 29.8, 2020.0, 252.0, 40, 0),
    "aisbench/fail_c4_200_32": (50.840, 26.607, 778.998, 130.33, 25, 11),
}


@pytest.mark.parametrize("run", TRUTH)
def test_figures_are_those_that_the_server_saw(reference_data, run) -> None:
    folder = reference_data / "load_test_results" / run
    main = folder / (folder / "main_file").read_text().strip()
    [test] = read_load_tests(Workspace(folder), main)
    ttft, tpot, latency, throughput, requests, failed = TRUTH[run]
    assert 0 < test.ttft.mean * 1e3 - ttft < 25
    assert test.tpot.mean * 1e3 == pytest.approx(tpot, rel=0.005)
    assert -2 < test.latency.mean * 1e3 - latency < 32
    # Without start times the time before the first request counts.
    rel = 0.02 if run == "vllm/poisson4_512_128" else 0.012
    assert test.throughput == pytest.approx(throughput, rel=rel)
    assert (test.requests, test.failed or 0) == (requests, failed or 0)
    if run == "sglang/c8_256_64":
        assert test.failed == 0  # its arrays tell


def test_drafts_that_were_accepted_are_read_and_their_gaps_are_not_compared(reference_data) -> None:
    folder = reference_data / "load_test_results" / "aiperf" / "spec_c8_256_64" / "out"
    [test] = read_load_tests(Workspace(folder), folder)
    assert test.acceptance == pytest.approx((676 / 848, 376 / 848, 142 / 848))
    assert test.tokens_per_step == pytest.approx(1 + 1194 / 848)
    assert test.itl is None
    assert any("ITL is not compared" in note for note in test.notes)


def test_a_folder_has_all_its_runs(reference_data) -> None:
    folder = reference_data / "load_test_results" / "evalscope" / "fail_c4_200_32"
    tests = read_load_tests(Workspace(folder), folder)
    assert [test.name for test in tests] == ["parallel_2_number_12", "parallel_4_number_20"]
    assert [test.load.clients for test in tests] == [2, 4]
    files = {d.name for d in (folder.parent.parent).iterdir() if d.is_dir()}
    assert files >= {"vllm", "sglang", "aisbench"}


def test_the_table_of_ais_bench_leads_to_its_file(reference_data) -> None:
    folder = reference_data / "load_test_results" / "aisbench" / "c8_256_64"
    [table] = folder.rglob("synthetic.csv")
    [test] = read_load_tests(Workspace(folder), table)
    assert (test.tool, test.load.clients) == ("ais_bench", 8)


def test_arrays_of_vllm_leave_out_what_failed(tmp_path) -> None:
    [test] = read_load_tests(Workspace(tmp_path), vllm_file(tmp_path, **DETAILED))
    assert test.log.arrival == (0.0, 0.5, 1.0)
    assert test.ttft.mean == pytest.approx(0.2)
    assert test.tpot.mean == pytest.approx((0.05 + 0.06 + 0.05) / 3)
    assert test.latency.max == pytest.approx(0.45)
    assert test.itl.mean == pytest.approx(0.32 / 6)
    assert test.duration == pytest.approx(1.45)  # the last one began at 1.0
    assert test.throughput == pytest.approx(9 / 1.45)
    assert (test.requests, test.failed) == (3, 1)
    assert test.settings == {"tp": "2"}


def test_summaries_of_vllm_say_what_they_have(tmp_path) -> None:
    [test] = read_load_tests(Workspace(tmp_path), vllm_file(tmp_path))
    assert test.ttft.said == {"mean": 0.1, "p50": 0.09, "p99": 0.18}
    assert test.latency is None
    assert test.load.label == "2 clients"
    assert (test.input.mean, test.output.mean) == (100, 5)


@pytest.mark.parametrize(
    ("fields", "process", "cv"),
    [
        ({"request_rate": 4.0, "max_concurrency": None}, "poisson", 1.0),
        ({"request_rate": 4.0, "burstiness": 0.25}, "gamma", 2.0),
        ({"request_rate": "inf", "max_concurrency": None}, "burst", 1.0),
        ({"request_rate": float("inf"), "max_concurrency": 8}, "clients", 1.0),
    ],
)
def test_loads_of_vllm(tmp_path, fields, process, cv) -> None:
    [test] = read_load_tests(Workspace(tmp_path), vllm_file(tmp_path, **fields))
    assert (test.load.process, test.load.cv) == (process, cv)


def test_older_names_of_evalscope_are_in_seconds(tmp_path) -> None:
    import json

    (tmp_path / "benchmark_summary.json").write_text(
        json.dumps(
            {
                "Time taken for tests (s)": 10.0,
                "Number of concurrency": 4,
                "Total requests": 20,
                "Succeed requests": 20,
                "Failed requests": 0,
                "Average latency (s)": 2.0,
                "Average time to first token (s)": 0.5,
                "Average time per output token (s)": 0.03,
                "Average input tokens per request": 100.0,
                "Average output tokens per request": 51.0,
            }
        )
    )
    [test] = read_load_tests(Workspace(tmp_path), tmp_path)
    assert (test.ttft.mean, test.tpot.mean, test.latency.mean) == (0.5, 0.03, 2.0)
    assert test.throughput == pytest.approx(51 * 20 / 10)
