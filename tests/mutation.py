"""Do the tests notice a wrong formula? `python -m tests.mutation --sample 300 --seed 1`.

Changes the code of some rooms in one place at a time (an operator, a comparison, a number), in a
copy of the tree, and runs the tests that execute the changed line. A change is killed if one of
them fails or takes far too long; the others survive and are listed, to be looked at: some change
nothing that matters. Operators are those of Cosmic Ray (`pip install '.[test,mutation]'`), but
for annotations, messages and what is there for the type checker alone.

    python -m tests.mutation --room cost --sample 50     one room
    python -m tests.mutation --without-snapshots         only tests that know what is right count
    python -m tests.mutation --map map.json              keep which test executes which line
    python -m tests.mutation --only cost/model.py:89     all changes of a line
    python -m tests.mutation --again old.json            the survivors of a run, after a new test
"""

import argparse
import ast
import contextlib
import hashlib
import importlib
import json
import math
import os
import random
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from attrs import Factory, asdict, evolve, frozen

from tests.conftest import REFERENCE, ROOT

ROOMS = ("cost", "search", "serving", "simulation", "results", "run")
LEFT_OUT = (".git", ".venv", ".hypothesis", "__pycache__", "*_cache", "build", "dist")
# Tests that run: those of the rooms, and of what is made of them.
TESTS = (*ROOMS, "calibration", "report", "ir", "test_accuracy", "test_api", "test_reference")
MOST_TESTS = 80, 40  # of one change: tests of its room, and others
MOST_MEMORY = 8 * 2**30
OWN_TIME = 20.0  # seconds of CPU that a change may take beyond twice what its tests do
WAITING = 10  # seconds for one of CPU before a run that sleeps is given up
GOLDEN = "tests/test_examples.py"  # compares outputs with those kept, as snapshots do

# What stands in for what; the tuple of all of Cosmic Ray would weigh one `+` eleven times.
BINARY = {
    "Add": ("Sub", "Mul"),
    "Sub": ("Add",),
    "Mul": ("Div", "Add"),
    "Div": ("Mul",),
    "FloorDiv": ("Div", "Mul"),
    "Mod": ("FloorDiv", "Mul"),
    "Pow": ("Mul",),
}
COMPARISON = {
    "Eq": ("NotEq",),
    "NotEq": ("Eq",),
    "Lt": ("LtE", "GtE"),
    "LtE": ("Lt", "Gt"),
    "Gt": ("GtE", "LtE"),
    "GtE": ("Gt", "Lt"),
    "Is": ("IsNot",),
    "IsNot": ("Is",),
}
OTHERS = (
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceUnaryOperator_Delete_Not",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "NumberReplacer",
    "ZeroIterationForLoop",
)

Place = tuple[int, int]  # line, from 1, and column


@frozen
class Mutant:
    """A change: the occurrence of an operator in a file, where it is, and what came of it."""

    room: str
    file: str
    operator: str
    occurrence: int
    line: int
    column: int
    before: str = ""
    after: str = ""
    killed: bool = False
    by: str = ""
    tests: int = 0


def operators() -> list[str]:
    """Return the names of the operators that are used."""
    names = [f"ReplaceBinaryOperator_{a}_{b}" for a, to in BINARY.items() for b in to]
    names += [f"ReplaceComparisonOperator_{a}_{b}" for a, to in COMPARISON.items() for b in to]
    return [f"core/{name}" for name in (*names, *OTHERS)]


def mutants(source: str, room: str = "", file: str = "") -> list[Mutant]:
    """Return the changes of a source."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator

    tree = ast.parse(source)
    closed, binary = _closed(tree), _binary(tree)
    nodes = list(ast_nodes(get_ast(source)))
    found = []
    for name in operators():
        operator, occurrence = get_operator(name)(), 0
        for node in nodes:
            for (line, column), _ in operator.mutation_positions(node):
                place = (line, column)
                apart = "Binary" in name and not any(a <= place <= b for a, b in binary)
                if not apart and not any(a <= place < b for a, b in closed):
                    found.append(Mutant(room, file, name, occurrence, line, column))
                occurrence += 1
    return found


def changed(source: str, mutant: Mutant) -> str | None:
    """Return the source with a change; None if it is no change, or no program."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    text = mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence)
    try:
        same = text is None or ast.dump(ast.parse(text)) == ast.dump(ast.parse(source))
    except SyntaxError:
        return None
    return None if same else text


def _span(node: ast.AST) -> tuple[Place, Place]:
    found: Any = node
    return (found.lineno, found.col_offset), (found.end_lineno, found.end_col_offset)


def _closed(tree: ast.Module) -> list[tuple[Place, Place]]:
    """Return what is not changed: annotations, decorators, messages, assertions, `strict=`."""
    found: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg):
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found += node.decorator_list
            found.append(getattr(node, "returns", None))
        elif isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert) or (
            isinstance(node, ast.keyword) and node.arg == "strict"
        ):
            found.append(node)
    return [_span(node) for node in found if node is not None]


def _binary(tree: ast.Module) -> list[tuple[Place, Place]]:
    """Return where operators of two sides stand: others look alike, as in `f(a, *, b)`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            found.append((_span(node.left)[1], _span(node.right)[0]))
        elif isinstance(node, ast.AugAssign):
            found.append((_span(node.target)[1], _span(node.value)[0]))
    return found


def files_of(room: str) -> list[Path]:
    """Return the modules of a room, wherever its folder lies, without those of rooms inside it."""
    return sorted(path for path in (ROOT / "specc").rglob("*.py") if _room_of(path) == room)


def _room_of(path: Path) -> str:
    folders = path.relative_to(ROOT / "specc").parts[:-1]
    rooms = [folder for folder in folders if folder in ROOMS]
    return rooms[-1] if rooms and folders[0] in ROOMS else ""


def sample(rooms: Sequence[str], size: int, seed: int, only: Sequence[str]) -> list[Mutant]:
    """Choose places in the code at random, and a change for each."""
    at: dict[tuple[str, Place], list[Mutant]] = defaultdict(list)
    for room in rooms:
        for path in files_of(room):
            file = path.relative_to(ROOT).as_posix()
            for mutant in mutants(path.read_text(encoding="utf-8"), room, file):
                at[file, (mutant.line, mutant.column)].append(mutant)
    if only:
        listed = chain.from_iterable(at.values())
        return [m for m in listed if any(f"{m.file}:{m.line}".endswith(end) for end in only)]
    chance = random.Random(seed)
    places = sorted(at)
    chance.shuffle(places)
    found: list[Mutant] = []
    for file, place in places:
        choices = at[file, place]
        chance.shuffle(choices)
        source = (ROOT / file).read_text(encoding="utf-8")
        fitting = next((m for m in choices if changed(source, m) is not None), None)
        if fitting is not None:
            found.append(fitting)
        if len(found) == size:
            break
    return found


# --- Which test executes which line -------------------------------------------------------------


@frozen
class Map:
    """Tests with their seconds, and per file and line those that execute it.

    What a fixture of a module executes counts for all tests of its file.
    """

    seconds: dict[str, float] = Factory(dict)
    lines: dict[str, dict[str, list[str]]] = Factory(dict)
    snapshots: list[str] = Factory(list)
    hashes: dict[str, str] = Factory(dict)

    def without(self, files: Sequence[str]) -> "Map":
        """Return what is known of the tests of other files."""

        def other(test: str) -> bool:
            return test.partition("::")[0] not in files

        return Map(
            {test: took for test, took in self.seconds.items() if other(test)},
            {
                file: {line: [t for t in tests if other(t)] for line, tests in lines.items()}
                for file, lines in self.lines.items()
            },
            [test for test in self.snapshots if other(test)],
        )

    def plus(self, more: "Map") -> "Map":
        """Return what both know."""
        lines = {
            file: {
                line: [*self.lines.get(file, {}).get(line, ()), *own.get(line, ())]
                for line in {*self.lines.get(file, {}), *own}
            }
            for file, own in more.lines.items()
        }
        return Map(self.seconds | more.seconds, lines, [*self.snapshots, *more.snapshots])

    def of(self, file: str, lines: Iterable[int]) -> set[str]:
        """Return the tests that execute one of some lines."""
        known = self.lines.get(file, {})
        named = set(chain.from_iterable(known.get(str(line), ()) for line in lines))
        modules = {name for name in named if "::" not in name}
        return named & set(self.seconds) | {
            test for test in self.seconds if test.partition("::")[0] in modules
        }


class _Tracer:
    """A plugin of pytest that names the running test to coverage, and keeps how long it took."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self.snapshots: list[str] = []
        self.test = ""
        self.start = 0.0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.test, self.start = nodeid, _cpu()
        self.coverage.switch_context(nodeid)

    def pytest_runtest_setup(self, item: Any) -> None:
        if "snapshot" in item.fixturenames or item.nodeid.startswith(GOLDEN):
            self.snapshots.append(item.nodeid)

    def pytest_fixture_setup(self, fixturedef: Any) -> None:
        if fixturedef.scope != "function" and self.test:
            self.coverage.switch_context(self.test.partition("::")[0])

    def pytest_fixture_post_finalizer(self) -> None:
        if self.test:
            self.coverage.switch_context(self.test)

    def pytest_runtest_call(self) -> None:
        self.coverage.switch_context(self.test)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = _cpu() - self.start

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.passed:
            self.failed.add(report.nodeid)


def _cpu() -> float:
    """Return the seconds of CPU of this process and its children."""
    return sum(os.times()[:4])


def _traced(tree: Path, files: Sequence[str]) -> Map:
    """Run the tests of some files in a copy once."""
    import coverage
    import pytest

    found = coverage.Coverage(
        data_file=None, config_file=False, include=[f"{tree}/specc/*"], data_suffix=False
    )
    tracer = _Tracer(found)
    found.start()
    pytest.main([*_arguments(tree), *files], plugins=[tracer])
    found.stop()
    data = found.get_data()
    lines = {}
    for room in ROOMS:
        for path in files_of(room):
            file = path.relative_to(ROOT).as_posix()
            by_line = data.contexts_by_lineno(str(tree / file))
            lines[file] = {str(n): sorted({t for t in at if t}) for n, at in by_line.items()}
    sound = {test: took for test, took in tracer.seconds.items() if test not in tracer.failed}
    return Map(sound, lines, tracer.snapshots)


def chosen(known: Map, mutant: Mutant, seconds: float, snapshots: bool) -> list[str]:
    """Return the tests of a change: those of its room first, the fastest of each file in turn.

    Of what is defined outside of functions, tests that name it come before all others.
    """
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    place = (mutant.line, mutant.column)
    tests, names = known.of(mutant.file, reaching(source, place)), defined(source, place)
    if names:
        tests = set()
        for file in known.lines:
            text = (ROOT / file).read_text(encoding="utf-8")
            tests |= known.of(file, naming(text, names))
    tests = tests or known.of(mutant.file, range(1, source.count("\n") + 2))
    if not snapshots:
        tests -= set(known.snapshots)
    files = {test.partition("::")[0] for test in tests}
    naming_it = {file for file in files if names and _names(ROOT / file, names)}
    told = {test for test in tests if test.partition("::")[0] in naming_it}
    own = {test for test in tests if mutant.room in Path(test.partition("::")[0]).parts} - told
    found: list[str] = []
    left = seconds
    for group, most in ((told, 40), (own, MOST_TESTS[0]), (tests - own - told, sum(MOST_TESTS))):
        for test in _in_turn(group, known.seconds):
            if len(found) < most and known.seconds[test] <= left:
                found.append(test)
                left -= known.seconds[test]
    return found


def _names(path: Path, names: set[str]) -> bool:
    text = path.read_text(encoding="utf-8")
    return any(re.search(rf"\b{name}\b", text) for name in names)


def _in_turn(tests: set[str], seconds: Mapping[str, float]) -> list[str]:
    """Return the fastest test of each file, then the next of each, and so on."""
    files: dict[str, list[str]] = defaultdict(list)
    for test in sorted(tests, key=lambda test: (seconds[test], test)):
        files[test.partition("::")[0]].append(test)
    turns = zip_longest(*(files[file] for file in sorted(files)))
    return [test for turn in turns for test in turn if test is not None]


def reaching(source: str, place: Place) -> list[int]:
    """Return the lines that run if what stands at a place in a function matters."""
    around = _around(ast.parse(source), place)
    functions = [n for n in around if isinstance(n, ast.FunctionDef)]
    if not functions:
        return []
    innermost = around[-1]
    if innermost is functions[-1]:  # a default of an argument: all that its function does
        return list(range(innermost.body[0].lineno, (innermost.end_lineno or 0) + 1))
    body = getattr(innermost, "body", None)
    last = body[0].lineno - 1 if body else innermost.end_lineno or innermost.lineno
    return list(range(innermost.lineno, max(last, innermost.lineno) + 1))


def defined(source: str, place: Place) -> set[str]:
    """Return the names that a statement outside of functions defines, which runs on import."""
    around = _around(ast.parse(source), place)
    if not around or any(isinstance(n, ast.FunctionDef) for n in around):
        return set()
    return {n.id for n in ast.walk(around[-1]) if isinstance(n, ast.Name) and _stored(n)}


def naming(source: str, names: set[str]) -> list[int]:
    """Return the lines that read one of some names, as a variable or as an attribute."""
    return [
        n.lineno
        for n in ast.walk(ast.parse(source))
        if (isinstance(n, ast.Name) and not _stored(n) and n.id in names)
        or (isinstance(n, ast.Attribute) and n.attr in names)
    ]


def _around(tree: ast.Module, place: Place) -> list[ast.stmt]:
    """Return the statements around a place, from the outside."""
    return [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and _holds(n, place)]


def _holds(node: ast.AST, place: Place) -> bool:
    start, end = _span(node)
    return start <= place < end


def _stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


# --- Running tests on a change ------------------------------------------------------------------


class _Chosen:
    """A plugin of pytest that keeps some tests, in their order, and names the first that fails."""

    def __init__(self, tests: Sequence[str], log: Path) -> None:
        self.tests, self.log = {test: n for n, test in enumerate(tests)}, log

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.nodeid in self.tests]
        items.sort(key=lambda item: self.tests[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.log.write_text(report.nodeid)


def _arguments(tree: Path) -> list[str]:
    options = "-q -n 0 -p no:cacheprovider -o addopts= --tb=no"
    options += " -W ignore::pytest.PytestAssertRewriteWarning"  # see `import_once`
    temporary = tree.parent / f"{tree.name}-temporary"
    return [*options.split(), "-m", "not wheel", f"--rootdir={tree}", f"--basetemp={temporary}"]


def _forked(tree: Path, work: Callable[[], int], limit: float | None) -> int | None:
    """Run in a process of its own, in a copy of the tree; None if it takes too long."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            output = os.open(f"{tree}-output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
            if limit is not None:
                seconds = math.ceil(limit + _cpu())
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            os.chdir(tree)
            os.environ["PYTHONPATH"] = str(tree)
            sys.path[:] = [str(tree), *(p for p in sys.path if p not in ("", str(ROOT)))]
            for name in [n for n in sys.modules if n.partition(".")[0] in ("specc", "tests")]:
                del sys.modules[name]
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    end = None if limit is None else time.monotonic() + WAITING * limit
    status = _waited(child, end)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
    return None if status in (-signal.SIGXCPU, -signal.SIGKILL) else status


def _waited(child: int, end: float | None) -> int | None:
    """Return the exit code of a child, None if it is still running at the end."""
    if end is None:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    handle = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([handle], [], [], max(0.0, end - time.monotonic()))
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if ready else None


def judged(mutant: Mutant, known: Map, tree: Path, options: argparse.Namespace) -> Mutant:
    """Run the tests of a change in a copy of the tree."""
    import pytest

    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    text = changed(source, mutant)
    assert text is not None
    before, after = _lines_apart(source, text)
    tests = chosen(known, mutant, options.seconds, not options.without_snapshots)
    done = evolve(mutant, before=before, after=after, tests=len(tests))
    if not tests:
        return done
    log = tree.parent / f"{tree.name}-failed"
    log.unlink(missing_ok=True)
    took = sum(known.seconds[test] for test in tests)
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))

    def work() -> int:
        plugins = [_Chosen(tests, log)]
        return int(pytest.main(["-x", *_arguments(tree), *files], plugins=plugins))

    (tree / mutant.file).write_text(text, encoding="utf-8")
    try:
        code = _forked(tree, work, 2 * took + OWN_TIME)
    finally:
        (tree / mutant.file).write_text(source, encoding="utf-8")
    by = "time" if code is None else log.read_text() if log.exists() else "import"
    return evolve(done, killed=code not in (0, 5), by=by if code not in (0, 5) else "")


def _lines_apart(source: str, text: str) -> tuple[str, str]:
    pairs = zip_longest(source.splitlines(), text.splitlines(), fillvalue="")
    return next((a.strip(), b.strip()) for a, b in pairs if a != b)


def copy_of_tree(folder: Path) -> Path:
    """Copy what tests need; compiled code goes by the text, not by its time."""
    import compileall
    import py_compile

    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    beside = folder.parent / REFERENCE.parent.name
    if REFERENCE.is_dir() and not beside.exists():
        beside.symlink_to(REFERENCE.parent)
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(folder, quiet=2, invalidation_mode=mode)
    return folder


def _run(wanted: list[Mutant], known: Map, folder: Path, options: argparse.Namespace) -> None:
    """Judge the changes, each job in a copy of its own; results go to a file, line by line."""
    children = []
    for job in range(options.jobs):
        tree = folder / f"tree{job}"
        if not tree.is_dir():
            copy_of_tree(tree)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for mutant in wanted[job :: options.jobs]:
                    done = judged(mutant, known, tree, options)
                    with (folder / "results").open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(done)) + "\n")
                    mark = "killed  " if done.killed else "SURVIVED"
                    print(f"{mark} {_shown(done)}", file=sys.stderr, flush=True)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def _shown(m: Mutant) -> str:
    return f"{m.file}:{m.line}  {m.before}  →  {m.after}  [{m.by or f'{m.tests} tests'}]"


def table(done: Sequence[Mutant]) -> Iterator[str]:
    """Yield the lines of the table and of the survivors."""
    count, killed = Counter(m.room for m in done), Counter(m.room for m in done if m.killed)
    yield f"{'room':<12}{'mutants':>9}{'killed':>9}{'survived':>10}{'score':>8}"
    rows = [(room, count[room], killed[room]) for room in sorted(count)]
    for room, all_of_it, of_it in [*rows, ("all", len(done), sum(killed.values()))]:
        score = of_it / all_of_it if all_of_it else 0.0
        yield f"{room:<12}{all_of_it:>9}{of_it:>9}{all_of_it - of_it:>10}{score:>8.1%}"
    late = sum(m.by == "time" for m in done)
    yield f"{late} of the killed took too long"
    yield from ("", "survivors:") if sum(killed.values()) < len(done) else ()
    yield from (_shown(m) for m in sorted(done, key=lambda m: (m.file, m.line)) if not m.killed)


def main() -> int:
    """Change the code in many places, and print which changes no test noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--sample", type=int, default=300, help="changes (default: 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", nargs="+", default=list(ROOMS), choices=ROOMS)
    parser.add_argument("--only", nargs="+", default=[], help="FILE:LINE, all changes there")
    parser.add_argument("--seconds", type=float, default=12.0, help="of CPU, of a change's tests")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--without-snapshots", action="store_true")
    parser.add_argument("--map", type=Path, help="read or write here which test executes what")
    parser.add_argument("--again", type=Path, help="a file of --json: its survivors, once more")
    parser.add_argument("--json", type=Path, help="write all changes here, with their outcome")
    options = parser.parse_args()
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
    sys.dont_write_bytecode = True
    start, former = time.monotonic(), []
    if options.again:
        former = [Mutant(**row) for row in json.loads(options.again.read_text(encoding="utf-8"))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = folder / "results"
        results.touch()
        known = _map(options.map, copy_of_tree(folder / "tree0"))
        import_once()
        wanted = [m for m in former if not m.killed] or sample(
            options.room, options.sample, options.seed, options.only
        )
        with contextlib.suppress(KeyboardInterrupt):  # what is known by then is told
            _run(wanted, known, folder, options)
        lines = results.read_text(encoding="utf-8").splitlines()
    done = [m for m in former if m.killed] + [Mutant(**json.loads(line)) for line in lines]
    print("\n".join(table(done)))
    print(f"\nsample {len(done)}, seed {options.seed}, {time.monotonic() - start:.0f} s")
    if options.json:
        options.json.write_text(json.dumps([asdict(m) for m in done], indent=1), encoding="utf-8")
    return 0 if len(lines) == len(wanted) else 1


def _map(kept: Path | None, tree: Path) -> Map:
    """Return which test executes what: from a file, as far as it is there and still true."""
    written = kept or tree.parent / "map"
    known = Map(**json.loads(written.read_text())) if written.exists() else Map()
    hashes = {"": _hash(sorted((tree / "specc").rglob("*.py")))}
    for path in sorted((tree / "tests").rglob("test_*.py")):
        file = path.relative_to(tree).as_posix()
        if not {path.stem, *path.parts}.isdisjoint(TESTS):
            hashes[file] = _hash([path])
    if known.hashes.get("") != hashes[""]:
        known = Map()
    known = evolve(known, hashes={"": hashes[""], **known.hashes})
    for file, own in hashes.items():
        if not file or known.hashes.get(file) == own:
            continue

        # Each in a process of its own: what one has worked out would be hidden from the next.
        def work(file: str = file, own: str = own, known: Map = known) -> int:
            whole = known.without([file]).plus(_traced(tree, [file]))
            whole = evolve(whole, hashes={**known.hashes, file: own})
            written.write_text(json.dumps(asdict(whole)))
            return 0

        print(f"which lines {file} executes", file=sys.stderr, flush=True)
        if _forked(tree, work, None) != 0:
            raise SystemExit(Path(f"{tree}-output").read_text(encoding="utf-8"))
        known = Map(**json.loads(written.read_text()))
    return known


def _hash(paths: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()


def import_once() -> None:
    """Import what no change touches, so that every test run finds it there."""
    for name in ("hypothesis.strategies", "jinja2", "lark", "pandas", "pytest", "rich.console"):
        importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
