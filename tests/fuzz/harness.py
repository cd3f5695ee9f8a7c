"""Runs one plan from text to every output, and says what must never be seen."""

import contextlib
import gc
import hashlib
import io
import json
import math
import os
import resource
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from attrs import Factory, define, frozen

from specc import syntax
from specc.cli.codes import Exit
from specc.cli.main import main
from specc.diagnostics import Source
from specc.results import load_results
from specc.run.estimate import estimate
from specc.session import Session
from specc.syntax import parse
from specc.syntax.formatter import format_source
from tests.fuzz.tree import Plan, units

LONGEST_S = 120  # large closed loops of small plans are simulated to their end
MOST_BYTES = 1_500_000_000
DOCUMENTED = {Exit.OK, Exit.FAILED, Exit.WRONG_INPUT, Exit.INFEASIBLE}
# Facts that may be below zero: what is free in an infeasible layout, and how far off a limit is.
MAY_BE_NEGATIVE = {"available", "available_at_end", "excess", "trend", "bias"}


@frozen
class Finding:
    """Something that must never be seen; `key` is the same for the same fault."""

    key: str
    detail: str = ""


@define
class Run:
    """What a plan did.

    Attributes:
        findings: what must not be.
        codes: exit code by command.
        digest: a hash of everything that it printed and wrote.
        diagnosed: codes of the diagnostics.
    """

    findings: list[Finding] = Factory(list)
    codes: dict[str, int] = Factory(dict)
    digest: str = ""


class _TooSlowError(BaseException):
    """The time is over."""


def run(plan: Plan, folder: Path, commands: tuple[str, ...] = ()) -> Run:
    """Run a plan in a folder through commands that depend on it, or those that are given."""
    for old in folder.iterdir():
        _remove(old)
    (folder / "plan.spec").write_text(plan.spec, encoding="utf-8")
    for name, text in plan.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    found, digest = Run(), hashlib.sha256()
    with contextlib.chdir(folder):
        for name in commands or _chosen(plan):
            code, printed = _command(name, COMMANDS[name], found)
            digest.update(f"{name} {code}\n{printed}\n".encode("utf-8", "backslashreplace"))
        _judge_source(plan, found)
        for path in sorted(Path("out").rglob("*")) if Path("out").is_dir() else ():
            if path.is_file():
                data = path.read_bytes()
                digest.update(path.name.encode() + data)
                _judge_file(path, data, found)
    found.digest = digest.hexdigest()
    return found


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """Let many runs share a process: each command is meant for a process of its own.

    There is one core, so no pool of processes is started, garbage is collected although commands
    switch that off, and the standard library is parsed once.
    """
    with one_core(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "disable", gc.enable)
        patch.setattr(syntax, "parse_library", _once(syntax.parse_library))
        gc.freeze()
        yield
        gc.unfreeze()


COMMANDS: dict[str, list[str]] = {
    "check": ["check", "plan.spec", "--format", "json"],
    "fmt": ["fmt", "--check", "plan.spec"],
    "plan": ["plan", "plan.spec"],
    "run": ["run", "plan.spec", "--out", "out", "--csv", "out.csv"],
    "launch": ["launch", "out/plan.result.json", "--out", "out/launch"],
    "simulate": ["simulate", "plan.spec", "--perfetto", "out.trace"],
    "show": ["show", "ops", "plan.spec"],
}


@contextlib.contextmanager
def _faults_shown() -> Iterator[None]:
    """Let faults of specc be told with their traceback, and not in files."""
    os.environ["SPECC_DEBUG"] = "1"
    try:
        yield
    finally:
        del os.environ["SPECC_DEBUG"]


_OTHERS = ("plan", "simulate", "show")
_QUICK_S = 8.0  # what is estimated to take longer is no plan for a fuzzer


def _chosen(plan: Plan) -> tuple[str, ...]:
    """Return the commands for a plan: those that evaluate it do the same work, so one of them.

    A plan that is right and merely long is not evaluated; one that is too long must say so at once.
    """
    if _is_long():
        return ("check", "fmt", "plan")
    turn = hashlib.sha256(plan.spec.encode()).digest()[0] % len(_OTHERS)
    return ("check", "fmt", "run", "launch", _OTHERS[turn])


def _is_long() -> bool:
    try:
        expected = estimate(Session("plan.spec").plan)
    except Exception:  # the commands will show what is wrong
        return False
    return expected.seconds > _QUICK_S and not expected.is_large


def _command(name: str, arguments: list[str], found: Run) -> tuple[int, str]:
    printed = io.StringIO()
    code = -1
    try:
        with (
            _limited(),
            warnings.catch_warnings(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            _faults_shown(),
        ):
            warnings.simplefilter("error")
            code = int(main(arguments))
    except _TooSlowError as slow:
        found.findings.append(Finding(f"{name}: over {LONGEST_S} s of CPU", _place(slow)))
    text = printed.getvalue()
    found.codes[name] = code
    if code not in DOCUMENTED and code != -1:
        found.findings.append(Finding(f"{name}: exit code {code}{_fault(text)}", text))
    elif "Traceback" in text:
        found.findings.append(Finding(f"{name}: a traceback is printed", text))
    hostile = [c for c in text if c in HOSTILE]
    if hostile:
        found.findings.append(Finding(f"{name}: prints {hostile[0]!r}", text))
    return code, text


def _fault(text: str) -> str:
    """Return what the message about a fault of specc says: its kind and place."""
    said = next((line for line in text.splitlines() if "= what:" in line), "")
    return said.replace("  = what: ", ", ")


HOSTILE = {"\x1b", "\x00", "\x07", "\x9b", "\u202e", "\u2066"}


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Limit the CPU time and the memory of what runs inside."""

    def over(_signal: int, _frame: FrameType | None) -> None:
        raise _TooSlowError

    old_handler = signal.signal(signal.SIGPROF, over)
    old_limit = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + MOST_BYTES, old_limit[1]))
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_DATA, old_limit)
        signal.signal(signal.SIGPROF, old_handler)


def _data_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    return pages * resource.getpagesize()


def _place(error: BaseException) -> str:
    """Return the innermost place in specc that an exception passed."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f"{os.sep}specc{os.sep}" in f.filename]
    if not own:
        return "outside of specc"
    last = own[-1]
    return f"{Path(last.filename).name}:{last.lineno} ({last.name})"


def _judge_source(plan: Plan, found: Run) -> None:
    """What is formatted stays what it was when it is formatted again."""
    source = Source("plan.spec", plan.spec)
    if parse(source)[1]:
        return
    once = format_source(source)
    if format_source(Source("plan.spec", once)) != once:
        found.findings.append(Finding("fmt: formats again differently", once))


def _judge_file(path: Path, data: bytes, found: Run) -> None:
    text = data.decode("utf-8")
    for mark in HOSTILE:
        if mark in text:
            found.findings.append(Finding(f"{path.suffix} holds {mark!r}", path.name))
    if path.suffix in (".html", ".svg") and "<script>alert" in text:
        found.findings.append(Finding(f"{path.suffix} holds a script of the spec", path.name))
    if path.suffix == ".sh" and subprocess.run(["bash", "-n", str(path)], check=False).returncode:
        found.findings.append(Finding("launch: a script that is none", text))
    if path.name.endswith(".result.json"):
        content = json.loads(text, parse_constant=lambda name: _not_finite(name, found))
        for field, value in _negatives(content.get("studies", []), ""):
            found.findings.append(Finding(f"result: {field} below 0", f"{value}"))
        try:
            load_results(path)
        except Exception as error:
            found.findings.append(
                Finding(f"load_results: {type(error).__name__} at {_place(error)}", str(error))
            )
    elif path.suffix in (".md", ".html") and any(word in text for word in (" nan", " inf ")):
        found.findings.append(Finding(f"{path.suffix} shows nan or inf", path.name))


def _not_finite(name: str, found: Run) -> float:
    found.findings.append(Finding(f"result: {name}"))
    return math.nan


_MEASURES = ("ttft", "tpot", "rate", "throughput", "memory", "weights", "kv_cache", "activations",
             "time", "cost", "latency", "queue", "batch", "devices", "mean", "p50", "p99", "max",
             "transfer", "step", "seconds", "attainment")  # fmt: skip


def _negatives(value: Any, field: str) -> Iterator[tuple[str, float]]:
    """Yield the measures of results that are below zero."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in MAY_BE_NEGATIVE and key != "study":
                yield from _negatives(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _negatives(inner, field)
    elif (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and value < 0
        and any(word in field for word in _MEASURES)
    ):
        yield field, value


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink()


def minimised(plan: Plan, has_finding: Callable[[Plan], bool]) -> Plan:
    """Return a smaller plan that still has a finding: statements and blocks are taken out."""
    changed = True
    while changed:
        changed = False
        for smaller in _smaller(plan):
            if has_finding(smaller):
                plan, changed = smaller, True
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Yield the plan without one of its blocks or statements, the largest first."""
    lines = plan.spec.splitlines()
    for first, last in sorted(units(lines), key=lambda unit: unit[0] - unit[1]):
        yield Plan("\n".join(lines[:first] + lines[last + 1 :]) + "\n", plan.files)


def _once(parse_library: Callable[[Source], Any]) -> Callable[[Source], Any]:
    """Return a parser that parses each text of a name once."""
    known: dict[tuple[str, str], Any] = {}

    def parsed(source: Source) -> Any:
        key = source.name, source.text
        if key not in known:
            known[key] = parse_library(source)
        return known[key]

    return parsed


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep to one core, and give the others back."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def reproduction(plan: Plan) -> str:
    """Return commands that reproduce a plan in a shell."""
    parts = []
    for name, text in {"plan.spec": plan.spec, **plan.files}.items():
        parts.append(f"cat > {name} <<'END'\n{text.rstrip()}\nEND")
    return "\n".join([*parts, f"{Path(sys.executable).name} -m specc run plan.spec --out out"])
