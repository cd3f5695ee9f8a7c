"""Small results as load-test tools write them, for tests."""

import json
from pathlib import Path
from typing import Any

VLLM: dict[str, Any] = {
    "date": "20261126-174805",
    "backend": "vllm",
    "label": None,
    "model_id": "Qwen/Qwen3-32B",
    "num_prompts": 4,
    "tp": "2",
    "request_rate": "inf",
    "burstiness": 1.0,
    "max_concurrency": 2,
    "duration": 2.0,
    "completed": 4,
    "failed": 0,
    "total_input_tokens": 400,
    "total_output_tokens": 20,
    "output_throughput": 10.0,
    "total_token_throughput": 210.0,
    "mean_ttft_ms": 100.0,
    "median_ttft_ms": 90.0,
    "p99_ttft_ms": 180.0,
    "mean_tpot_ms": 200.0,
    "mean_itl_ms": 200.0,
}


def vllm_file(folder: Path, name: str = "result.json", **other: Any) -> Path:
    """Write a result of vllm bench serve, with other fields than the usual ones."""
    path = folder / name
    fields = {key: value for key, value in {**VLLM, **other}.items() if value != "absent"}
    path.write_text(json.dumps(fields))
    return path


# Four requests of two clients, the last of which failed.
DETAILED: dict[str, Any] = {
    "completed": 3,
    "failed": 1,
    "total_input_tokens": 300,
    "total_output_tokens": 9,
    "input_lens": [100, 100, 100, 100],
    "output_lens": [2, 3, 4, 0],
    "ttfts": [0.1, 0.2, 0.3, 0.0],
    "itls": [[0.05], [0.05, 0.07], [0.05, 0.05, 0.05], []],
    "start_times": [7.0, 7.5, 8.0, 8.1],
    "errors": ["", "", "", "HTTP 500"],
}
