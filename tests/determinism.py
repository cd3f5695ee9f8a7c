"""Runs of a spec give the same bytes, wherever and however often: `python -m tests.determinism`.

Every example of `specs/` runs under hash seeds, and with settings of language, time zone and cores;
all files and all that is printed must be the same. The exit code is 1 if they differ.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from attrs import frozen

from tests.conftest import ROOT
from tests.run.signals import PLAN

HASH_SEEDS = ("1", "2")
SETTINGS: tuple[tuple[dict[str, str], int], ...] = (
    ({"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "TZ": "UTC"}, 1),
    ({"LC_ALL": "de_DE.UTF-8", "LANG": "zh_CN.UTF-8", "TZ": "Asia/Shanghai"}, 64),
)


@frozen
class Way:
    """One way to run: a hash seed, variables of the environment, and cores."""

    hash_seed: str
    variables: dict[str, str]
    cores: int

    def digest(self, spec: Path, folder: Path, options: Sequence[str] = ()) -> str:
        """Return a hash of what a run prints and writes."""
        env = {**os.environ, **self.variables, "PYTHONHASHSEED": self.hash_seed}
        env["SPECC_JOBS"] = str(self.cores)
        done = subprocess.run(
            [sys.executable, "-c", _STARTER, str(self.cores), "run", str(spec), "--out", "out",
             "--csv", "table.csv", *options],
            cwd=folder, env={**env, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
        )  # fmt: skip
        found = hashlib.sha256(done.stdout + done.stderr + bytes([done.returncode]))
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
        return found.hexdigest()


# Takes so many cores, as far as there are, and runs the program.
_STARTER = """
import os, sys
cores = int(sys.argv.pop(1))
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
import runpy
sys.argv[0] = "specc"
runpy.run_module("specc", run_name="__main__", alter_sys=True)
"""


def ways() -> Iterator[Way]:
    """Yield every way to run."""
    for hash_seed, (variables, cores) in product(HASH_SEEDS, SETTINGS):
        yield Way(hash_seed, variables, cores)


def digests(spec: Path, times: int, options: Sequence[str] = ()) -> set[str]:
    """Return the different outcomes of a spec."""
    found = set()
    for way in ways():
        for _ in range(times):
            with tempfile.TemporaryDirectory() as folder:
                found.add(way.digest(spec, Path(folder), options))
    return found


def main() -> int:
    """Run all examples, and a plan that is worth several processes."""
    parser = argparse.ArgumentParser(prog="python -m tests.determinism")
    parser.add_argument("--times", type=int, default=3, help="runs of each way (default: 3)")
    parser.add_argument("--allow-path", default=str(ROOT.parent))
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.spec"
        large.write_text(PLAN)
        for spec in (*sorted((ROOT / "specs").glob("*.spec")), large):
            found = digests(spec, options.times, ["--allow-path", options.allow_path])
            count = options.times * len(list(ways()))
            print(f"{spec.name}: {count} runs, {len(found)} outcome{'s' * (len(found) > 1)}")
            wrong += len(found) > 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
