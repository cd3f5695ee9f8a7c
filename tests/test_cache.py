"""The cache holds data, costs nothing but time if it fails, and is never trusted."""

import errno
import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from specc import cache
from specc.cache import CacheEntry
from specc.diagnostics import Source
from specc.syntax import grammar, parse, parse_library
from tests.conftest import ROOT

SOURCE = Source("std/a.spec", 'let a = [1 tok, "two"] # comment\nserver s { b.c = -x * 2 .. 3 }\n')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of this test; the first use makes it, as nothing is ready-made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("specc.resources.MADE", tmp_path / "none")
    return tmp_path / "specc"


def _use() -> None:
    """Use all that is cached: the tables of the grammar, and trees."""
    grammar.tables.cache_clear()
    assert len(parse(SOURCE)[0].statements) == 2
    assert parse_library(SOURCE) == parse(SOURCE)


def _files(folder: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in folder.iterdir())


def test_trees_and_tables_come_back_as_they_were(folder: Path, monkeypatch) -> None:
    _use()
    assert _files(folder) == ["grammar", "tree"]
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr("specc.syntax.library.parse", None)  # nothing is parsed again
    tree, _ = parse_library(SOURCE)
    monkeypatch.undo()
    assert tree == parse(SOURCE)[0]
    assert tree.statements[1].span.text == "server s { b.c = -x * 2 .. 3 }"
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_it_is_data_and_no_code_in_it_is_run(folder: Path, tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    _use()
    for path in [*folder.iterdir(), folder / "grammar.lark"]:
        path.write_bytes(pickle.dumps(Attack()))
    _use()
    assert not (tmp_path / "attacked").exists()
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "specc").rglob("*.py")]
    assert not [text for text in sources if "import pickle" in text or "import marshal" in text]


def _with_its_hash(text: str) -> bytes:
    return f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}".encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        b"\xff\x00\n[]",
        _with_its_hash("[]"),
        _with_its_hash("{}"),
        _with_its_hash('{"states": [], "words": 3}'),
        _with_its_hash("[0, 1]"),
        _with_its_hash("[[99, 0, 1]]"),
        _with_its_hash("[" * 100_000),
        _with_its_hash("no JSON"),
    ],
    ids=range(10),
)
def test_a_damaged_entry_is_made_anew(folder: Path, content: bytes, capfd) -> None:
    _use()
    for path in folder.iterdir():
        path.write_bytes(content)
    _use()
    assert all(
        CacheEntry(path).load() and path.read_bytes() != content for path in folder.iterdir()
    )
    assert capfd.readouterr() == ("", "")


def test_a_body_of_another_form_is_parsed(folder: Path) -> None:
    parse_library(SOURCE)
    (path,) = folder.glob("tree-*")
    let, block = CacheEntry(path).load()["statements"]
    for body in ("", "[[99]]", "7", "[[0]]"):
        CacheEntry(path).save({"statements": [let, [block[0], body, block[2]]]})
        assert parse_library(SOURCE) == parse(SOURCE)


def test_an_entry_that_was_cut_off_is_made_anew(folder: Path) -> None:
    _use()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-10])
        assert CacheEntry(path).load() is None
    _use()
    assert all(CacheEntry(path).load() for path in folder.iterdir())


def test_folders_and_fifos_in_place_of_entries(folder: Path) -> None:
    _use()
    for number, path in enumerate(sorted(folder.iterdir())):
        path.unlink()
        path.mkdir() if number else os.mkfifo(path)
    _use()
    assert len(_files(folder)) == 2


def test_an_entry_of_another_user_is_not_there(folder: Path, monkeypatch) -> None:
    kept = cache.entry("kind", "text")
    kept.save([1])
    assert kept.load() == [1]
    monkeypatch.setattr("os.geteuid", lambda: folder.stat().st_uid + 1)
    assert kept.load() is None
    assert cache.entry("kind", "text").path is None
    _use()


def test_an_entry_depends_on_every_text(folder: Path) -> None:
    paths = {cache.entry(*texts).path for texts in [("a", "b"), ("a", "bc"), ("a", "b", "c")]}
    assert len(paths) == 3


@pytest.mark.parametrize("function", ["tempfile.mkstemp", "os.fsync", "os.replace", "os.rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_cannot_be_kept_is_not_kept(
    folder: Path, monkeypatch, capfd, function: str, number: int
) -> None:
    def fail(*_arguments, **_options) -> None:
        raise OSError(number, os.strerror(number))

    cache.entry("other", "text").save([])
    monkeypatch.setattr(function, fail)
    _use()
    assert set(_files(folder)) <= {"other", "grammar", "tree"}
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("home", ["", "/tmp/caches", "caches"])
def test_the_place_is_that_of_the_platform(home: str, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    if home != "caches":  # which some versions of platformdirs take
        assert cache._place() == Path(platformdirs.user_cache_dir("specc", appauthor=False))
    assert cache._place().is_absolute()


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null", "relative", "~nobody-at-all"])
def test_no_place_for_a_cache(home: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    monkeypatch.setenv("HOME", home)
    _use()
    assert list(tmp_path.iterdir()) == []


def test_what_is_installed_is_used_and_not_written(folder: Path, monkeypatch, capfd) -> None:
    _use()
    installed = folder.rename(folder.with_name("made"))
    monkeypatch.setattr("specc.resources.MADE", installed)
    monkeypatch.setattr("os.geteuid", lambda: installed.stat().st_uid + 1)  # by somebody else
    monkeypatch.setattr("specc.syntax.library.parse", None)
    monkeypatch.setattr("specc.syntax.grammar.made", None)
    grammar.tables.cache_clear()
    assert parse_library(SOURCE) == parse(SOURCE)
    monkeypatch.undo()
    monkeypatch.setattr("specc.resources.MADE", installed)
    for path in installed.iterdir():
        path.write_bytes(b"rubbish")
    _use()
    assert all(path.read_bytes() == b"rubbish" for path in installed.iterdir())
    assert not folder.exists()
    assert capfd.readouterr() == ("", "")


def test_without_a_path_nothing_is_kept() -> None:
    CacheEntry(None).save([1])
    assert CacheEntry(None).load() is None


def test_two_processes_at_once(folder: Path) -> None:
    code = "from pathlib import Path\nfrom specc import resources\nresources.MADE = Path('none')\n"
    code += "from specc.cli import main\nraise SystemExit(main(['check', 'specs/chat-fleet.spec']))"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    assert [run.communicate()[1] for run in runs] == [b""] * 4
    assert [run.returncode for run in runs] == [0] * 4
    for path in folder.iterdir():
        digest, _, text = path.read_text().partition("\n")
        assert hashlib.sha256(text.encode()).hexdigest() == digest
        json.loads(text)
