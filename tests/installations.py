"""`python -m tests.installations`: the suite with the oldest dependencies allowed, and the newest.

Each combination of dependencies and Python gets an environment of its own, in a temporary folder,
with a wheel of this checkout. The oldest are the minimums that pyproject.toml states, pinned, on
the oldest Python that it names, as older releases have no wheels for newer Pythons. The newest are
what pip chooses, on every Python that it names and that is found here: the one that runs this,
those on PATH, and those of pyenv. The exit code is 1 if a combination fails. One whose Python is
not found is not run, and the last lines say so.

    python -m tests.installations                         all of it, the whole suite each time
    python -m tests.installations oldest                  the stated minimums alone
    python -m tests.installations newest --python 3.13    the newest on one Python
    python -m tests.installations --quick                 what packages and Pythons can break
    python -m tests.installations --keep FOLDER           environments that can be looked into
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from attrs import frozen
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
AGES = ("oldest", "newest")
NO_TEST_NEEDS = {"lint", "mutation"}  # extras of tools: on the sources, and on the tests
PATIENCE_S = 5  # how long an interrupted pytest may take to end its workers

# Tests of what other packages or another Python can break: which, and why. The rest (the language,
# the search, the simulation, random inputs) is our own code on top of these.
QUICK = {
    "tests/test_architecture.py": "imports the whole package; import-linter",
    "tests/syntax": "lark, of whose tables ours are made, and interegular",
    "tests/ir": "cattrs and attrs: every type of the document, there and back",
    "tests/tables": "pyyaml",
    "tests/units": "hypothesis",
    "tests/diagnostics": "sarif-pydantic",
    "tests/editor": "pygls, lsprotocol, pygments, and a server in a process of its own",
    "tests/calibration/test_fit.py": "scipy",
    "tests/results": "cattrs and numpy: result files there and back",
    "tests/report": "jinja2 and syrupy: the bytes of reports, so numpy's sums too",
    "tests/cost": "numpy: the cost model",
    "tests/test_examples.py": "the same plan makes the same bytes on every Python",
    "tests/test_api.py": "pandas: frames",
    "tests/test_cache.py": "platformdirs",
    "tests/cli/test_sessions.py": "rich: the summary and the bar, on a terminal",
    "tests/cli/test_streams.py": "standard streams, which Python 3.13 frees in another way",
    "tests/cli/test_outputs.py": "the same",
    "tests/run/test_workers.py": "multiprocessing, and its ways to fail",
    "tests/run/test_executors.py": "Dask",
    "tests/outputs/test_table.py": "pyarrow and duckdb",
    "tests/run/test_signals.py": "signals",
}
# Of these, what takes long and tries nothing that the others do not.
SLOW = (
    *(
        f"tests/test_examples.py::test_reports_are_current[{name}]"
        for name in (
            "conversation-trace", "deepseek-v3-pd-ratio", "chat-and-batch", "chat-fleet",
            "document-summaries", "deepseek-v3-supernode",
        )
    ),
    "tests/report/test_report.py::test_a_fleet_of_two_phases_in_words",
    "tests/report/test_report.py::test_the_long_table_of_fleets_has_answers",
)  # fmt: skip


@frozen
class Python:
    """An interpreter of this machine."""

    release: str
    path: str


@frozen
class Installation:
    """A combination to try; `python` is None if this machine has none of that version."""

    age: str
    version: str
    python: Python | None

    def __str__(self) -> str:
        release = self.python.release if self.python else self.version
        return f"{self.age} dependencies on Python {release}"


class FailedError(Exception):
    """A combination cannot be installed, or does not pass."""


def main(arguments: list[str] | None = None) -> int:
    """Try what the command line asks for."""
    options = _options(arguments)
    try:
        with _folder(options.keep) as folder:
            failures = _try_all(_installations(options), folder, options.quick)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 1 if failures else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.installations",
        description="Run the suite with the oldest dependencies allowed, and with the newest.",
    )
    parser.add_argument("ages", nargs="*", metavar="oldest|newest", help="default: both")
    parser.add_argument(
        "--python",
        nargs="+",
        metavar="VERSION",
        choices=versions(),
        default=versions(),
        help="only these, of %(choices)s",
    )
    parser.add_argument(
        "--other-pythons",
        action="store_true",
        help="not the version of Python that runs this",
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"run {', '.join(sorted(QUICK))} and no other tests"
    )
    parser.add_argument(
        "--keep", metavar="FOLDER", type=Path, help="where to leave the environments"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.ages) - set(AGES):
        parser.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(AGES)}")
    return options


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(
        prefix="specc-installations-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _installations(options: argparse.Namespace) -> list[Installation]:
    """List the combinations that are asked for."""
    wanted = [version for version in versions() if version in options.python]
    if options.other_pythons:
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        wanted = [version for version in wanted if version != running]
    return [
        Installation(age, version, find(version))
        for age in AGES
        if age in (options.ages or AGES)
        for version in wanted
        if age == "newest" or version == versions()[0]
    ]


def versions() -> list[str]:
    """List the versions of Python that pyproject.toml names, the oldest first."""
    start = "Programming Language :: Python :: 3."
    named = [line for line in _project()["classifiers"] if line.startswith(start)]
    return sorted((line.rpartition(" ")[2] for line in named), key=Version)


def extras() -> list[str]:
    """List the extras that the tests need."""
    return [name for name in _project()["optional-dependencies"] if name not in NO_TEST_NEEDS]


def pins() -> list[str]:
    """List the minimum of each dependency, as pip takes it."""
    return sorted({_pin(requirement) for requirement in _requirements()})


def _pin(requirement: Requirement) -> str:
    minimums = [bound.version for bound in requirement.specifier if bound.operator == ">="]
    if len(minimums) != 1:
        raise ValueError(f"pyproject.toml: '{requirement}' states no minimum (NAME>=VERSION)")
    return f"{requirement.name}=={minimums[0]}"


def _requirements() -> list[Requirement]:
    project = _project()
    of_extras = [project["optional-dependencies"][name] for name in extras()]
    return [Requirement(line) for lines in (project["dependencies"], *of_extras) for line in lines]


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def find(version: str) -> Python | None:
    """Find a Python of a version that can make environments."""
    for path in _candidates(version):
        release = _release(path)
        if release and release.startswith(f"{version}."):
            return Python(release, path)
    return None


def _candidates(version: str) -> Iterator[str]:
    name = f"python{version}"
    yield sys.executable
    for folder in os.get_exec_path():
        if path := shutil.which(name, path=folder):
            yield path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"), reverse=True))


def _release(path: str) -> str | None:
    """Ask an interpreter for its release; names on PATH may stand for none (pyenv's do)."""
    code = "import ensurepip, platform, venv; print(platform.python_version())"
    try:
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _try_all(installations: list[Installation], folder: Path, quick: bool) -> int:
    """Try each, print a line for each when all are done, and return how many failed."""
    lines, failures = [], 0
    for each in installations:
        if each.python is None:
            lines.append(f"{each}: not run, this Python is not found here")
            continue
        start = time.monotonic()
        try:
            outcome = _try(each, each.python.path, folder, quick)
        except FailedError as failure:
            outcome = f"FAILED, {failure}"
            failures += 1
        lines.append(f"{each}: {outcome}; {time.monotonic() - start:.0f} s")
        print(flush=True)
    print(*lines, sep="\n", flush=True)
    return failures


def _try(each: Installation, python: str, folder: Path, quick: bool) -> str:
    """Install a combination and run its tests; returns what passed."""
    print(f"-- {each}", flush=True)
    own = _environment(python, folder / f"{each.age}-{each.version}")
    what = [f"{_wheel(folder)}[{','.join(extras())}]"]
    if each.age == "oldest":  # what would have to be compiled is as good as not there
        what += ["--only-binary", ":all:", *pins()]
    _quietly([own, "-m", "pip", "install", "-q", *what], "it cannot be installed")
    installed = _installed(own)
    print(installed, flush=True)
    chosen = [*QUICK, *(f"--deselect={name}" for name in SLOW)] if quick else []
    if code := _run([own, "-m", "pytest", *chosen]):
        raise FailedError(f"pytest ends with exit code {code}; {installed}")
    return f"passed; {installed}"


def _environment(python: str, home: Path) -> str:
    """Make an environment and return its interpreter."""
    _quietly([python, "-m", "venv", "--clear", str(home)], "no environment can be made")
    return str(home / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def _wheel(folder: Path) -> Path:
    """Return a wheel of this checkout, which is made when it is first asked for."""
    wheels = folder / f"wheel-{os.getpid()}"
    if not wheels.is_dir():
        made = ["pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)]
        _quietly([sys.executable, "-m", *made], "the wheel cannot be built")
    return next(wheels.glob("*.whl"))


def _installed(own: str) -> str:
    """Ask an environment for the versions of what pyproject.toml names."""
    names = sorted({requirement.name for requirement in _requirements()})
    ask = "import sys; from importlib.metadata import version as v\n"
    ask += "print(*(f'{name} {v(name)}' for name in sys.argv[1:]), sep=', ')"
    done = subprocess.run([own, "-c", ask, *names], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _quietly(command: list[str], failure: str) -> None:
    """Run a command whose output matters only if it fails."""
    with tempfile.TemporaryFile("w+") as output:
        if _run(command, output):
            output.seek(0)
            print(output.read(), end="", flush=True)
            raise FailedError(failure)


def _run(command: Iterable[str], output: IO[str] | None = None) -> int:
    """Run a command at the root of the checkout, away from the environment that runs this.

    The terminal sends Ctrl-C to the command as well: it gets the time to clean up.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    process = subprocess.Popen(
        list(command), cwd=ROOT, env=environment, stdout=output, stderr=output and subprocess.STDOUT
    )
    try:
        return process.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S)
        process.kill()
        process.wait()
        raise


if __name__ == "__main__":
    sys.exit(main())
