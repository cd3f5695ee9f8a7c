"""Signals at random moments of a run on a plan that is worth several processes.

    python -m tests.run.signals --moments 50 --seed 1

Prints a line for each moment and a count; the exit code is 1 if something was wrong.
"""

import argparse
import contextlib
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attrs import frozen

from tests.bench.bench_modes import STUDY
from tests.conftest import ROOT

# Enough tasks for several processes, and not much to write.
PLAN = STUDY.replace("[0%, 20%, 40%, 60%, 80%]", "[0%, 40%]")
KINDS = {
    "SIGINT to the group": (signal.SIGINT, "group", {130}),
    "SIGINT to the parent": (signal.SIGINT, "parent", {130}),
    "SIGTERM to the parent": (signal.SIGTERM, "parent", {143}),
    "SIGTERM to the group": (signal.SIGTERM, "group", {143}),
    "SIGHUP to the group": (signal.SIGHUP, "group", {129}),
    "SIGKILL to the parent": (signal.SIGKILL, "parent", {-signal.SIGKILL}),
    "SIGKILL to a worker": (signal.SIGKILL, "worker", {0}),
}
WORDS = {129: "hung up\n", 130: "interrupted\n", 143: "terminated\n"}


@frozen
class Ended:
    """How a run ended after a signal.

    Attributes:
        kind: which signal, and to whom.
        moment: when it was sent, in seconds after the start of the program.
        code: exit code of the parent.
        seconds: from the signal to the end of the last process of the group.
        problems: what should not be.
    """

    kind: str
    moment: float
    code: int
    seconds: float
    problems: tuple[str, ...]


def whole(folder: Path) -> tuple[float, dict[str, bytes]]:
    """Run the plan undisturbed; returns how long it takes, and its files."""
    (folder / "large.spec").write_text(PLAN)
    start = time.monotonic()
    run = _started(folder)
    run.communicate()
    assert run.returncode == 0
    return time.monotonic() - start, _files(folder)


def signalled(folder: Path, kind: str, moment: float, wanted: dict[str, bytes]) -> Ended:
    """Run the plan and send a signal at a moment of it; see how it ends."""
    (folder / "large.spec").write_text(PLAN)
    number, whom, codes = KINDS[kind]
    start = time.monotonic()
    run = _started(folder)
    while whom == "worker" and run.poll() is None and not _workers(run.pid):
        select.select([], [], [], 0.01)
    # The moment is an end of the program or so many seconds, whatever comes first.
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(moment)
    moment = time.monotonic() - start
    over = run.poll() is not None
    sent = time.monotonic()
    hit = _send(run, number, whom)
    _, errors = run.communicate(timeout=60)
    while _group(run.pid) and time.monotonic() - sent < 60:
        select.select([], [], [], 0.01)
    seconds = time.monotonic() - sent
    if over or not hit:
        kind, codes = f"{kind}, late", {0}
    if over or not hit or whom == "worker":
        seconds = 0.0
    found = _files(folder)
    is_early = run.returncode in (-number, 1) and "specc" not in errors and not found
    if is_early and number != signal.SIGKILL:
        # Python itself was still starting; it ends as every program in Python does then.
        return Ended(f"{kind}, early", moment, run.returncode, seconds, ())
    problems = []
    if run.returncode not in codes and not (run.returncode == 0 and found == wanted):
        problems.append(f"exit code {run.returncode}, not {codes}")
    if errors != ("" if run.returncode <= 0 else WORDS.get(run.returncode, "")):
        problems.append(f"standard error: {errors[-2000:]!r}")
    if found not in ({}, wanted) and number != signal.SIGKILL:
        problems.append(f"some of the files: {sorted(found)}")
    if any(found[name] != wanted.get(name) for name in found if not name.startswith(".specc-")):
        problems.append("a file that is not whole")
    if number != signal.SIGKILL and any(".specc-" in name for name in found):
        problems.append("staged files are left")
    if whom == "worker" and found != wanted:
        problems.append("other files than without a signal")
    return Ended(kind, moment, run.returncode, seconds, tuple(problems))


def _started(folder: Path) -> "subprocess.Popen[str]":
    """Start specc in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "specc", "run", "large.spec"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SPECC_JOBS": "2"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def _send(run: "subprocess.Popen[str]", number: int, whom: str) -> bool:
    if whom == "worker":
        workers = _workers(run.pid)
        if not workers:
            return False
        try:
            os.kill(workers[0], number)
        except ProcessLookupError:
            return False
        return True
    try:
        (os.killpg if whom == "group" else os.kill)(run.pid, number)
    except ProcessLookupError:
        return False
    return True


def _group(group: int) -> list[int]:
    """Return the living processes of a group."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, own, state in rows if int(own) == group and state[0] not in "ZX"]


def _workers(group: int) -> list[int]:
    return [pid for pid in _group(group) if "spawn_main" in _command(pid)]


def _command(pid: int) -> str:
    listed = subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout


def _files(folder: Path) -> dict[str, bytes]:
    """Return what a run wrote, and folders that it made and that are empty."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }
    found.pop("large.spec", None)
    return found


def main() -> int:
    """Send signals, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        lasts, wanted = whole(Path(folder))
    print(f"undisturbed it takes {lasts:.2f} s")
    ends = []
    for index in range(options.moments):
        kind = list(KINDS)[index % len(KINDS)]
        with tempfile.TemporaryDirectory() as folder:
            # Of a worker's life there is about a fifth of the whole.
            longest = lasts / 5 if kind.endswith("worker") else lasts
            ended = signalled(Path(folder), kind, chance.uniform(0, longest), wanted)
        ends.append(ended)
        said = "; ".join(ended.problems) or "fine"
        print(
            f"{ended.kind:<28} at {ended.moment:5.2f} s: exit code {ended.code:4}, "
            f"all processes gone after {ended.seconds:.2f} s, {said}",
            flush=True,
        )
    wrong = [ended for ended in ends if ended.problems or ended.seconds > 2]
    slowest = max(ended.seconds for ended in ends)
    print(f"{len(ends) - len(wrong)} of {len(ends)} fine, the slowest end took {slowest:.2f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
