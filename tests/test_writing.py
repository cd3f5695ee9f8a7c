"""Files are written all together or not at all, where they belong, whatever goes wrong."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from specc.writing import WriteError, check_targets, locked, replace_spec, write_texts
from tests.conftest import ROOT

NEW = {"a": "new", "b": "new", "c": "new"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an old file a, an old file c, and no file b."""
    (tmp_path / "a").write_text("old")
    (tmp_path / "c").write_text("old")
    return tmp_path


def _write(folder: Path, texts: dict[str, str] = NEW) -> None:
    write_texts({folder / name: text for name, text in texts.items()})


def _state(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


OLD = {"a": "old", "c": "old"}


def test_all_are_written(folder: Path) -> None:
    (folder / "a").chmod(0o640)
    _write(folder)
    assert _state(folder) == NEW
    assert (folder / "a").stat().st_mode & 0o777 == 0o640


def _failing(number: int, at: int, real=None):
    """Return a function that fails with an error of the system in its `at`th call."""
    calls = iter(range(100))

    def call(*arguments, **options):
        if next(calls) == at:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    return call


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES])
@pytest.mark.parametrize(
    "function", ["os.fsync", "os.replace", "tempfile.mkstemp", "os.chmod", "os.fdopen"]
)
def test_none_is_written_if_one_cannot_be(
    folder: Path, monkeypatch, function: str, number: int, at: int
) -> None:
    module, name = function.split(".")
    monkeypatch.setattr(function, _failing(number, at, getattr(sys.modules[module], name)))
    with pytest.raises(WriteError) as caught:
        _write(folder)
    monkeypatch.undo()
    assert _state(folder) == OLD
    assert caught.value.path == folder / "abc"[at]
    assert caught.value.diagnostic.code == "E0006"
    assert caught.value.remedy


def test_a_full_disk_while_bytes_are_written(folder: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no device that is full")
    code = (
        "import os, sys, tempfile; from pathlib import Path; from specc import writing\n"
        "tempfile.mkstemp = lambda **_: (os.open('/dev/full', os.O_WRONLY), 'none')\n"
        "try: writing.write_texts({Path('a'): 'new'})\n"
        "except writing.WriteError as error: print(error.reason, '|', error.remedy)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.startswith("no space left on device | make room")
    assert _state(folder) == OLD


def test_file_systems_without_links(folder: Path, monkeypatch) -> None:
    def no_links(place, _kept) -> None:
        number = errno.EPERM if os.path.exists(place) else errno.ENOENT
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.link", no_links)
    _write(folder)
    assert _state(folder) == NEW
    (folder / "b").unlink()
    monkeypatch.setattr("os.replace", _failing(errno.ENOSPC, 2, os.replace))
    with pytest.raises(WriteError):
        _write(folder, {"a": "newer", "b": "newer", "c": "newer"})
    assert _state(folder) == {"a": "new", "c": "new"}


@pytest.mark.parametrize(
    ("name", "words", "remedy"),
    [
        ("x" * 300, "file name too long", "shorten"),
        ("a/b", "not a directory", "a file stands where a folder is needed"),
        ("none/b", "no such file", "create it first"),
        ("d", "it is a folder, not a regular file", "another place"),
        ("fifo", "it is a FIFO", "another place"),
        ("to_fifo", "it is a link", "remove the link"),
        ("out", "it is a link", "remove the link"),
        ("dangling_out", "it is a link", "remove the link"),
        ("loop", "it is a link", "remove the link"),
    ],
)
def test_what_is_no_place_for_a_file(folder: Path, name: str, words: str, remedy: str) -> None:
    (folder / "d").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "to_fifo").symlink_to("fifo")
    (folder / "out").symlink_to(ROOT / "README.md")
    (folder / "dangling_out").symlink_to("../none")
    (folder / "loop").symlink_to("loop")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(WriteError) as caught:
        _write(folder, {"a": "new", name: "new"})
    assert words in caught.value.reason
    assert remedy in caught.value.remedy
    assert (folder / "a").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("path", ["/proc/none", "/proc/self/none", "/dev/null", "/dev/null/none"])
def test_folders_that_even_root_cannot_write(path: str) -> None:
    with pytest.raises(WriteError):
        write_texts({Path(path): "new"})


def test_a_link_is_not_followed_even_to_its_own_folder(folder: Path) -> None:
    """At the root of a repository git's own files are below it: a hook would be run."""
    (folder / "link").symlink_to("a")
    (folder / "fresh").symlink_to("none")
    for name in ("link", "fresh"):
        with pytest.raises(WriteError, match="it is a link"):
            _write(folder, {name: "new"})
        (folder / name).unlink()
    assert _state(folder) == OLD


def test_a_spec_is_replaced_through_its_link(folder: Path) -> None:
    (folder / "specs").mkdir()
    (folder / "specs" / "link.spec").symlink_to("../a")
    replace_spec(folder / "specs" / "link.spec", "new")
    assert (folder / "specs" / "link.spec").is_symlink()
    assert (folder / "a").read_text() == "new"


def test_two_names_of_one_file(folder: Path) -> None:
    os.link(folder / "a", folder / "hard")
    for other in ("hard", "./a"):
        with pytest.raises(WriteError, match="another file of the run"):
            write_texts({folder / "a": "1", Path(f"{folder}/../{folder.name}/{other}"): "2"})
    assert (folder / "a").read_text() == "old"


def test_inputs_and_specs_are_no_targets(folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "link").symlink_to("a")
    os.link(folder / "a", folder / "hard")
    for target in ("a", "./a", "hard", str(folder / "a")):
        for read in ("a", "link", "hard"):
            with pytest.raises(WriteError, match="reads this file"):
                check_targets([Path("c"), Path(target)], [Path("b"), Path(read)])
    for target in ("plan.spec", "none/../PLAN.SPEC"):
        with pytest.raises(WriteError, match="never overwritten"):
            check_targets([Path(target)], [])
    check_targets([Path("c"), Path("b")], [Path("a")])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("function", ["os.fsync", "os.replace", "os.link"])
@pytest.mark.parametrize("at", range(2))
def test_an_interrupt_in_the_middle(
    folder: Path, monkeypatch, number: int, function: str, at: int
) -> None:
    """Before the renames nothing is written, during them everything is; then the signal comes."""
    calls = iter(range(100))
    real = getattr(os, function[3:])

    def interrupted(*arguments, **options):
        if next(calls) == at:
            signal.raise_signal(number)
        return real(*arguments, **options)

    caught = []

    def handler(found: int, _frame: object) -> None:
        caught.append(found)
        raise KeyboardInterrupt

    before = signal.signal(number, handler)
    try:
        monkeypatch.setattr(function, interrupted)
        with pytest.raises(KeyboardInterrupt):
            _write(folder)
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    assert caught == [number]
    assert _state(folder) == (OLD if function == "os.fsync" else NEW)


def test_a_thread_writes_too(folder: Path) -> None:
    thread = threading.Thread(target=_write, args=(folder,))
    thread.start()
    thread.join()
    assert _state(folder) == NEW


def test_a_terminated_process_leaves_nothing_staged(folder: Path) -> None:
    """What the program installs undoes what is begun, wherever the signal comes."""
    code = (
        "import os, signal; from pathlib import Path; from specc.writing import write_texts\n"
        "from specc import signals; signals.install()\n"
        "real = os.fsync\n"
        "os.fsync = lambda handle: (signal.raise_signal(signal.SIGTERM), real(handle))\n"
        "write_texts({Path('a'): 'new', Path('b'): 'new'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )  # fmt: skip
    assert done.returncode == 128 + signal.SIGTERM
    assert _state(folder) == OLD


def test_one_at_a_time_in_a_folder(folder: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with locked(folder):
        handle = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)
    assert _state(folder) == OLD


def test_no_locks_on_this_platform_or_file_system(folder: Path, monkeypatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", _failing(errno.ENOLCK, 0))
    with locked(folder):
        _write(folder)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with locked(folder):
        _write(folder)
    assert _state(folder) == NEW


def test_leftovers_go_last(folder: Path) -> None:
    with pytest.raises(WriteError):
        write_texts({folder / "none" / "b": "new"}, [folder / "c"])
    assert _state(folder) == OLD
    write_texts({folder / "b": "new"}, [folder / "c", folder / "none"])
    assert _state(folder) == {"a": "old", "b": "new"}
