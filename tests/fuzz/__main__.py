"""`python -m tests.fuzz --runs N --seconds S --seed K`: random plans from text to every output.

Prints a line for each kind of finding, with how often it was seen, the smallest plan that shows it
and how to reproduce it. The exit code is 1 if there was a finding.

    python -m tests.fuzz --runs 10000                 as many, in one process
    python -m tests.fuzz --runs 500 --hash-seeds      outputs under two hash seeds are the same
    python -m tests.fuzz --show 17 --seed 1           print the plan with the number 17
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz import harness
from tests.fuzz.plans import plans
from tests.fuzz.tree import Plan

AT_ONCE = 25  # plans that hypothesis makes in a row, so that they differ
SEEDS_APART = 1_000_003
EVERY = 500  # runs between two signs of life


def generated(start: int, folder: Path) -> Iterator[Plan]:
    """Yield plans without end, the same for the same start."""
    for batch in count():
        yield from _some(start * SEEDS_APART + batch, folder)


def _some(start: int, folder: Path) -> list[Plan]:
    made: list[Plan] = []

    @seed(start)
    @settings(
        max_examples=AT_ONCE,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(plans(folder))
    def collect(plan: Plan) -> None:
        made.append(plan)

    collect()
    return made[1:]  # the first is always the simplest


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int)
    parser.add_argument("--hash-seeds", action="store_true")
    parser.add_argument("--digests", type=Path, help="write a digest of each run here")
    options = parser.parse_args()
    with (
        harness.one_process(),
        tempfile.TemporaryDirectory() as made,
        tempfile.TemporaryDirectory() as tried,
    ):
        folder = Path(made)
        if options.hash_seeds:
            return _under_two_hash_seeds(options)
        if options.show is not None:
            for number, plan in enumerate(generated(options.seed, Path(tried))):
                if number == options.show:
                    print(harness.reproduction(plan))
                    return 0
        return _fuzz(options, folder, Path(tried))


def _fuzz(options: argparse.Namespace, folder: Path, tried: Path) -> int:
    start = time.monotonic()
    seen: dict[str, tuple[int, int, Plan, str]] = {}
    codes: Counter[int] = Counter()
    digests, runs = [], 0
    for number, plan in enumerate(generated(options.seed, tried)):
        if runs and runs % EVERY == 0:
            print(f"{runs} runs, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        if number >= options.runs or time.monotonic() - start > options.seconds:
            break
        runs += 1
        done = harness.run(plan, folder)
        codes[done.codes.get("run", -1)] += 1
        digests.append(done.digest)
        for finding in done.findings:
            often, first, kept, detail = seen.get(finding.key, (0, number, plan, finding.detail))
            if not often:
                print(f"#{number}: {finding.key}{_cause(finding.detail)}", flush=True)
            seen[finding.key] = (often + 1, first, kept, detail)
    if options.digests:
        options.digests.write_text("\n".join(digests))
    for key, (often, first, plan, detail) in seen.items():
        _print_finding(key, often, first, plan, detail, folder)
    rest = ", ".join(f"{number} × exit {code}" for code, number in sorted(codes.items()))
    took = time.monotonic() - start
    print(f"{runs} runs in {took:.0f} s ({rest}): {len(seen)} kinds of findings")
    return 1 if seen else 0


def _cause(detail: str) -> str:
    """Return the last line of a traceback that somebody printed."""
    lines = [line for line in detail.splitlines() if "Error" in line or "Warning" in line]
    return f" ({lines[-1].strip()})" if lines else ""


def _print_finding(key: str, often: int, first: int, plan: Plan, detail: str, folder: Path) -> None:
    command = key.partition(":")[0]
    commands = (command,) if command in harness.COMMANDS else ()
    if command == "launch":  # from results
        commands = ("run", "launch")

    def still(smaller: Plan) -> bool:
        return any(f.key == key for f in harness.run(smaller, folder, commands).findings)

    slow = "over" in key
    smallest = plan if slow else harness.minimised(plan, still)
    print(f"\n{key}: {often} times, first #{first}\n{harness.reproduction(smallest)}")
    print("\n".join(detail.splitlines()[-8:]))


def _under_two_hash_seeds(options: argparse.Namespace) -> int:
    """Run the same plans in two processes whose hashes of texts differ."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number in ("1", "2"):
            path = Path(folder) / number
            arguments = ["--runs", str(options.runs), "--seed", str(options.seed)]
            subprocess.run(
                [sys.executable, "-m", "tests.fuzz", *arguments, "--digests", str(path)],
                env={**os.environ, "PYTHONHASHSEED": number},
                check=False,
            )
            found.append(path.read_text().splitlines())
    differing = [n for n, (a, b) in enumerate(zip(*found, strict=True)) if a != b]
    print(f"{len(found[0])} runs under two hash seeds, {len(differing)} differ: {differing[:20]}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
