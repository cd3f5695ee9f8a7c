"""Reading: what is no text file is diagnosed, and hashes are those of the bytes."""

import ast
import gzip
import hashlib
import os
import socket
import tempfile
from pathlib import Path

import pytest

from specc.reading import TooLargeError, read_bytes
from specc.workspace import LARGEST_FILE_BYTES, UnreadableError, Workspace
from tests.conftest import ROOT


def _problem(path: Path) -> tuple[str, str]:
    with pytest.raises(UnreadableError) as caught:
        Workspace(path.parent).read(path)
    return caught.value.diagnostic.code, caught.value.diagnostic.message


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"let a = \xff\xfe", "E0002", "byte 0xff in line 1"),
        (b"\x7fELF\0\0", "E0002", "binary"),
        (b"#" * (LARGEST_FILE_BYTES + 1), "E0003", "larger than 16 MiB"),
    ],
)
def test_what_is_no_spec(tmp_path: Path, content: bytes, code: str, words: str) -> None:
    path = tmp_path / "a.spec"
    path.write_bytes(content)
    found, message = _problem(path)
    assert found == code
    assert words in message


def test_missing_files_folders_and_impossible_names(tmp_path: Path) -> None:
    assert _problem(tmp_path / "none.spec")[0] == "E0001"
    assert "folder" in _problem(tmp_path)[1]
    assert _problem(tmp_path / ("a" * 300))[0] == "E0001"
    assert _problem(Path("a\0b"))[0] == "E0001"


def test_byte_order_mark_and_line_ends_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "a.spec"
    data = b"\xef\xbb\xbflet a = 1\r\nlet b = 2\r\n"
    path.write_bytes(data)
    workspace = Workspace(tmp_path)
    assert workspace.read(path).text == "let a = 1\nlet b = 2\n"
    assert workspace.hashes == {"a.spec": hashlib.sha256(data).hexdigest()}


def test_library_files_have_names_without_machine_paths() -> None:
    workspace = Workspace(Path())
    path = workspace.module("std", "devices")
    assert path is not None
    assert workspace.read(path).name == "std/devices.spec"
    assert list(workspace.hashes) == ["std/devices.spec"]


def _packed_problem(path: Path) -> tuple[str, str]:
    with pytest.raises(UnreadableError) as caught:
        Workspace(path.parent).read(path, unpack=True)
    return caught.value.diagnostic.code, caught.value.diagnostic.message


def test_packed_files_count_unpacked_and_are_hashed_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    data = gzip.compress(b"a,b\r\n1,2\r\n")
    path.write_bytes(data)
    workspace = Workspace(tmp_path)
    assert workspace.read(path, unpack=True).text == "a,b\n1,2\n"
    assert workspace.hashes == {"a.csv.gz": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (gzip.compress(b"#" * (LARGEST_FILE_BYTES + 1)), "E0003", "when it is unpacked"),
        (gzip.compress(b"a,b\n")[:-6], "E0002", "not a gzip file"),
        (b"a,b\n1,2\n", "E0002", "not a gzip file"),
        (b"\x1f\x8b\x08garbage", "E0002", "not a gzip file"),
        (gzip.compress(b"\0"), "E0002", "binary"),
        (gzip.compress(b"\xff\xfe"), "E0002", "byte 0xff"),
    ],
    ids=["bomb", "cut off", "not packed", "garbage", "binary", "no text"],
)
def test_packed_files_that_cannot_be_read(tmp_path: Path, data, code: str, words: str) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(data)
    found, message = _packed_problem(path)
    assert found == code
    assert words in message


def _special_files(folder: Path) -> dict[str, Path]:
    """Make one of each kind of file that is no regular one; links to them count too."""
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    (folder / "link").symlink_to("fifo")
    return {
        "a FIFO": folder / "fifo",
        "a socket": folder / "socket",
        "a device": Path(os.devnull),
        "a folder": folder,
    }


def test_only_regular_files_are_read_and_nothing_waits(short_path: Path) -> None:
    for kind, path in _special_files(short_path).items():
        code, message = _problem(path)
        assert code == "E0001"
        assert message.endswith(f"is {kind}, not a regular file")
    assert "FIFO" in _problem(short_path / "link")[1]


@pytest.fixture
def short_path(monkeypatch: pytest.MonkeyPatch):
    """A folder for sockets, whose paths must be short."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        yield Path(folder)


def test_a_file_that_changes_its_kind_between_look_and_opening(tmp_path: Path, monkeypatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("")
    regular = os.stat(tmp_path / "file")
    monkeypatch.setattr("specc.reading.os.stat", lambda _path: regular)
    with pytest.raises(OSError, match="FIFO"):
        read_bytes(tmp_path / "fifo", 10)


def test_no_more_is_read_than_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_bytes(tmp_path / "file", 5) == b"12345"
    with pytest.raises(TooLargeError):
        read_bytes(tmp_path / "file", 4)
    if Path("/proc/self/environ").exists():  # claims to be empty
        with pytest.raises(TooLargeError):
            read_bytes(Path("/proc/self/maps"), 10)


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    (tmp_path / "file").write_bytes(b"x" * 1000)
    tracemalloc.start()
    assert read_bytes(tmp_path / "file", 1 << 30) == b"x" * 1000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


# What opens files itself: the reader, the writer, which also locks a folder, the report of a fault,
# and what is about standard streams.
OPENERS = {
    "specc/reading.py",
    "specc/atomic.py",
    "specc/writing.py",
    "specc/cli/faults.py",
    "specc/cli/git.py",  # an archive in memory
    "specc/cli/streams.py",
    "specc/editor/server.py",
}


def test_nothing_else_opens_files() -> None:
    names = {"open", "fdopen", "read_text", "read_bytes", "write_text", "write_bytes", "loadtxt"}
    names |= {"read_csv", "read_json", "read_pickle", "genfromtxt", "fromfile"}
    found = set()
    for path in (ROOT / "specc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                is_ours = isinstance(function, ast.Name) and function.id == "read_bytes"
                name = getattr(function, "attr", getattr(function, "id", ""))
                if name in names and not is_ours:
                    found.add(path.relative_to(ROOT).as_posix())
    assert found <= OPENERS


def test_files_of_one_name_are_kept_apart(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "std").mkdir()
    (tmp_path / "std" / "devices.spec").write_text("let mine = 1\n")
    workspace = Workspace(Path())
    library = workspace.module("std", "devices")
    assert library is not None
    assert "mine" not in workspace.read(library).text
    assert workspace.read(Path("std/devices.spec")).text == "let mine = 1\n"
