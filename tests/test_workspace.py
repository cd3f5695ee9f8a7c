"""Reading: what is no text file is diagnosed, and hashes are those of the bytes."""

import gzip
import hashlib
from pathlib import Path

import pytest

from specc.workspace import LARGEST_FILE_BYTES, UnreadableError, Workspace


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
        (gzip.compress(b"a,b\n")[:-6], "E0002", "no gzip file"),
        (b"a,b\n1,2\n", "E0002", "no gzip file"),
        (b"\x1f\x8b\x08garbage", "E0002", "no gzip file"),
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
