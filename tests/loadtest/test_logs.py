"""Logs of a start: lines of vLLM, vLLM-Ascend and SGLang."""

import pytest

from specc.loadtest import LoadTestError
from specc.loadtest.logs import read_log

GIB = 2**30


def test_a_log_of_vllm_ascend() -> None:
    found = read_log(
        "(Worker_TP0 pid=8) INFO [model_runner_v1.py:3432] Loading model weights took 3.8655 GB\n"
        "(Worker_TP1 pid=9) INFO [model_runner_v1.py:3432] Loading model weights took 3.9 GB\n"
        "INFO [worker.py:397] Available KV cache memory: 14.46 GiB\n"
        "INFO [kv_cache_utils.py:1733] GPU KV cache size: 135,296 tokens\n"
        "INFO [kv_cache_utils.py:1734] Maximum concurrency for 4,096 tokens per request: 33.03x\n"
        "Actual usage: 3.87 GiB for weights, 0.04 GiB for peak activation, 0.02 GiB for non-torch "
        "memory, 0.0 GiB for NPU graph memory.\n",
        "start.log",
    )
    assert found.weights == round(3.9 * GIB)
    assert found.kv_cache == round(14.46 * GIB)
    assert found.cache_tokens == 135_296
    assert (found.context, found.concurrency) == (4096, 33.03)
    assert found.activations == round(0.04 * GIB)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("Model loading took 12.66 GiB memory and 31.657031 seconds", "weights", 12.66 * GIB),
        ("Model loading took 14.2474 GiB and 558.868858 seconds", "weights", 14.2474 * GIB),
        ("NPU KV cache size: 9,000 tokens, Maximum concurrency for 4,096 tokens per request: 2.20x",
         "cache_tokens", 9000),
        ("Available memory: 10700878950, total memory: 31662800896", "kv_cache", 10_700_878_950),
        ("Load weight end. elapsed=19.09 s, type=Q, avail mem=230.20 GB, mem usage=56.98 GB.",
         "weights", 56.98 * GIB),
        ("KV Cache is allocated. dtype: torch.bfloat16, #tokens: 1669816, K size: 76.44 GB",
         "cache_tokens", 1_669_816),
    ],
)  # fmt: skip
def test_lines_of_engines(line, field, value) -> None:
    assert getattr(read_log(line, "start.log"), field) == round(value)


def test_a_log_without_such_lines() -> None:
    with pytest.raises(LoadTestError, match=r"'start.log' has no line on the memory"):
        read_log("INFO ready\n", "start.log")
