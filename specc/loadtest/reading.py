"""Whose files they are: from a path to the runs of load tests in it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from specc.loadtest import aiperf, ais_bench, evalscope, guidellm, sglang, vllm
from specc.loadtest.base import LoadTest, LoadTestError, ResultFile, checked
from specc.workspace import UnreadableError, Workspace

# The most telling first: SGLang's keys are those of vLLM with others.
TOOLS: tuple[ModuleType, ...] = (guidellm, aiperf, evalscope, ais_bench, sglang, vllm)

LARGEST_RESULT_BYTES = 512 * 2**20
_MOST_FILES = 10_000  # of a folder that are looked at
_MOST_RUNS = 1000
_RESULTS = "benchmark_summary.json", "profile_export_aiperf.json", "benchmarks.json"

# Keys of files that people take for such results, and why they are none.
_OTHERS = (
    (
        {"results_inter_token_latency_s_mean"},
        "llmperf: its inter-token latency includes TTFT, and another tokenizer counts its tokens",
    ),
    (
        {"infmax_model_prefix"},
        "InferenceX: a summary of a run; give the result of vllm bench serve",
    ),
    ({"avg_latency", "latencies"}, "vllm bench latency: it sends no requests to a server"),
    ({"elapsed_time", "tokens_per_second"}, "vllm bench throughput: it sends none to a server"),
)


def read_load_tests(workspace: Workspace, path: Path) -> tuple[LoadTest, ...]:
    """Return the runs in a file, or in all files of a folder, in the order of their names.

    Args:
        workspace: what reads files.
        path: a file that a tool wrote, or a folder of such files.

    Raises:
        UnreadableError: a file cannot be read.
        LoadTestError: there is no run, or one cannot be used.
    """
    if path.is_dir():
        return tuple(_of_folder(workspace, path))
    found = _of_file(workspace, _usual(path))
    return tuple(checked(test) for test in found)


def _usual(path: Path) -> Path:
    """Return the file to begin with: ais_bench writes the times into a table beside it."""
    beside = path.with_suffix(".json")
    return beside if path.suffix == ".csv" and beside.is_file() else path


def _of_folder(workspace: Workspace, folder: Path) -> Iterator[LoadTest]:
    count = 0
    for path in _candidates(folder):
        try:
            tests = _of_file(workspace, path)
        except _UnknownError:
            continue
        for test in tests:
            count += 1
            if count > _MOST_RUNS:
                raise LoadTestError(f"'{folder}' holds more than {_MOST_RUNS} runs")
            yield checked(test)
    if not count:
        raise LoadTestError(f"no file in '{folder}' is the result of a load test", help=_known())


def _candidates(folder: Path) -> list[Path]:
    """Return the files to read: those with the names of a tool, or else all that may be results."""
    names = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in (".json", ".jsonl") and not path.name.endswith(".pytorch.json")
    )[:_MOST_FILES]
    return [path for path in names if path.name in _RESULTS] or names


def _of_file(workspace: Workspace, path: Path) -> list[LoadTest]:
    source = workspace.read(path, most=LARGEST_RESULT_BYTES, unpack=True)

    def beside(name: str) -> str | None:
        try:
            return workspace.read(path.parent / name, most=LARGEST_RESULT_BYTES).text
        except UnreadableError as error:
            if (path.parent / name).exists():
                raise LoadTestError(error.diagnostic.message) from None
            return None

    return [
        test
        for data in _objects(path.name, source.text)
        for test in tool_of(path.name, data).read(ResultFile(path, data, beside))
    ]


def _objects(name: str, text: str) -> list[Mapping[str, Any]]:
    """Return the JSON object of a file, or those of its lines."""
    try:
        found = [json.loads(text)]
    except (ValueError, RecursionError):
        found = _lines(name, text)
    if isinstance(found[0], list):
        found = found[0]
    if not found or not all(isinstance(one, dict) for one in found):
        raise _UnknownError(f"'{name}' holds no JSON object", help=_known())
    return found


def _lines(name: str, text: str) -> list[Any]:
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()] or [None]
    except (ValueError, RecursionError):
        raise LoadTestError(f"'{name}' is not JSON: it may be cut off", help=_known()) from None


class _UnknownError(LoadTestError):
    """A file that no tool here writes."""


def tool_of(name: str, data: Mapping[str, Any]) -> ModuleType:
    """Return the reader of an object.

    Raises:
        LoadTestError: no tool that is known wrote it.
    """
    for tool in TOOLS:
        if tool.fits(data):
            return tool
    for keys, what in _OTHERS:
        if keys <= set(data):
            raise _UnknownError(f"'{name}' is of {what}", help=_known())
    names = ", ".join(f"'{key}'" for key in list(data)[:6])
    raise _UnknownError(
        f"'{name}' is not the result of a load-test tool that is known",
        why=f"it has {names}" if names else "it is empty",
        help=_known(),
    )


def _known() -> str:
    names = [tool.NAME for tool in TOOLS]
    return f"give what {', '.join(names[:-1])} or {names[-1]} wrote"
