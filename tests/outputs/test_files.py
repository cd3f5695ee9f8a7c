"""Files of a report: whole or not at all; of what lies beside them only their own is removed."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from specc.outputs.files import MANIFEST, Report, manifest, stale_files, write_files
from specc.writing import WriteError


def _report(**pictures: str) -> Report:
    """Return a report with pictures in a folder c."""
    texts = {f"{name}.svg": text for name, text in pictures.items()}
    files = {"a.md": "text", **{f"c/{name}": text for name, text in texts.items()}}
    if texts:
        files[f"c/{MANIFEST}"] = manifest("a.spec", "1", texts)
    return Report(files, own_folder="c")


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    old = Report({"a.md": "old", "b.md": "old"})
    write_files(old, tmp_path)
    (tmp_path / "c").write_text("a file where a folder is needed")
    with pytest.raises(WriteError) as caught:
        write_files(Report({"a.md": "new", "b.md": "new", "c/d.svg": "new"}), tmp_path)
    assert caught.value.path == tmp_path / "c" / "d.svg"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.md", "b.md", "c"]
    assert stale_files(old, tmp_path) == []


def test_a_full_disk_leaves_the_old_files(tmp_path: Path, monkeypatch) -> None:
    old = Report({"a.md": "old", "b.md": "old"})
    write_files(old, tmp_path)
    calls = iter([None, OSError(errno.ENOSPC, "No space left on device")])

    def sync(_handle: int) -> None:
        error = next(calls)
        if error:
            raise error

    monkeypatch.setattr("os.fsync", sync)
    with pytest.raises(WriteError, match="no space left"):
        write_files(Report({"a.md": "new", "b.md": "new"}), tmp_path)
    assert stale_files(old, tmp_path) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.md", "b.md"]


def test_stale_files_are_missing_or_different(tmp_path: Path) -> None:
    report = Report({"a.md": "text", "b.md": "text", "c/d.md": "text"})
    write_files(report, tmp_path)
    assert stale_files(report, tmp_path) == []
    (tmp_path / "a.md").write_text("other")
    shutil.rmtree(tmp_path / "c")
    assert stale_files(report, tmp_path) == [tmp_path / "a.md", tmp_path / "c/d.md"]


def test_a_failed_run_leaves_no_folders(tmp_path: Path) -> None:
    name = "a/b/" + "x" * 300
    with pytest.raises(WriteError, match="too long") as caught:
        write_files(Report({name: "text"}), tmp_path)
    assert "shorten" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_made_is_left_over_and_removed(tmp_path: Path) -> None:
    write_files(_report(one="1", two="2"), tmp_path)
    assert stale_files(_report(one="1"), tmp_path)[-1] == tmp_path / "c/two.svg"
    write_files(_report(one="1"), tmp_path)
    assert stale_files(_report(one="1"), tmp_path) == []
    assert _names(tmp_path) == ["a.md", "c", "c/manifest.json", "c/one.svg"]
    write_files(_report(), tmp_path)
    assert stale_files(_report(), tmp_path) == []
    assert _names(tmp_path) == ["a.md"]


def test_foreign_files_stay_and_are_not_stale(tmp_path: Path) -> None:
    write_files(_report(one="1", two="2"), tmp_path)
    (tmp_path / "c" / "mine.svg").write_text("mine")
    (tmp_path / "c" / "two.svg").write_text("2, with a remark")
    for report in (_report(one="1"), _report()):
        write_files(report, tmp_path)
        assert stale_files(report, tmp_path) == []
        assert (tmp_path / "c" / "mine.svg").read_text() == "mine"
        assert (tmp_path / "c" / "two.svg").read_text() == "2, with a remark"
    assert "c/one.svg" not in _names(tmp_path)


def test_a_folder_from_before_there_were_manifests(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "old.svg").write_text("old")
    write_files(_report(one="1"), tmp_path)
    assert stale_files(_report(one="1"), tmp_path) == []
    assert (tmp_path / "c" / "old.svg").read_text() == "old"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        "[]",
        "3",
        "{}",
        '{"specc": "1"}',
        '{"specc": "1", "files": 3}',
        '{"specc": "1", "files": [[3, "x"]]}',
        '{"files": {"mine.svg": "DIGEST"}}',
        '{"specc": "1", "files": {"../a.txt": "DIGEST", "/etc/passwd": "x", "": "x", "..": "x"}}',
        '{"specc": "1", "files": {"link.svg": "DIGEST", "d": "x", "fifo": "x", "none": "x"}}',
        '{"specc": "1", "files": {"mine.svg": 3, "link.svg": null}}',
        '{"specc": "1", "files": {"\\u0000": "x"}}',
        "[" * 100_000,
    ],
    ids=range(14),
)
def test_a_manifest_that_is_none_of_ours_removes_nothing(tmp_path: Path, text: str) -> None:
    own = tmp_path / "c"
    (own / "d").mkdir(parents=True)
    for path in (own / "mine.svg", tmp_path / "a.txt"):
        path.write_text("mine")
    (own / "link.svg").symlink_to("mine.svg")
    os.mkfifo(own / "fifo")
    digest = json.loads(manifest("", "", {"x": "mine"}))["files"]["x"]
    (own / MANIFEST).write_text(text.replace("DIGEST", digest))
    before = {*_names(tmp_path), "a.md", "c/one.svg"}
    write_files(_report(one="1"), tmp_path)
    assert set(_names(tmp_path)) == before
    assert stale_files(_report(one="1"), tmp_path) == []


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    write_files(_report(one="1", two="2"), elsewhere)
    here.mkdir()
    (here / "c").symlink_to(elsewhere / "c")
    for work in (write_files, stale_files):
        with pytest.raises(WriteError, match="it is a link") as caught:
            work(_report(one="1"), here)
        assert caught.value.remedy == "remove the link"
    assert _names(here) == ["c"]
    assert (elsewhere / "c" / "two.svg").read_text() == "2"


def test_the_manifest_is_compared_like_other_files(tmp_path: Path) -> None:
    write_files(_report(one="1"), tmp_path)
    (tmp_path / "c" / MANIFEST).unlink()
    assert stale_files(_report(one="1"), tmp_path) == [tmp_path / "c" / MANIFEST]


def test_special_files_are_stale_and_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.md")
    assert stale_files(_report(), tmp_path) == [tmp_path / "a.md"]
    with pytest.raises(WriteError, match="FIFO"):
        write_files(_report(one="1"), tmp_path)
    assert _names(tmp_path) == ["a.md"]


def test_inputs_are_never_outputs(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("data")
    os.link(tmp_path / "data.csv", tmp_path / "a.md")
    with pytest.raises(WriteError, match="reads this file"):
        write_files(_report(), tmp_path, inputs=[tmp_path / "data.csv"])
    for other in ("a.md", "c/one.svg"):
        with pytest.raises(WriteError, match="another file of the run"):
            write_files(_report(one="1"), tmp_path, {tmp_path / other: "table"})
    assert (tmp_path / "data.csv").read_text() == "data"


def test_folders_are_made_for_the_report_alone(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="no such file") as caught:
        write_files(_report(), tmp_path / "new/folder", {tmp_path / "none/table.csv": "table"})
    assert "create it first" in caught.value.remedy
    assert _names(tmp_path) == []
    write_files(_report(), tmp_path / "new/folder", {tmp_path / "table.csv": "table"})
    assert _names(tmp_path) == ["new", "new/folder", "new/folder/a.md", "table.csv"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch, number: int) -> None:
    write_files(_report(one="old"), tmp_path)

    def fail(*_arguments, **_options) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.mkstemp", fail)
    with pytest.raises(WriteError):
        write_files(_report(one="new"), tmp_path)
    monkeypatch.undo()
    assert stale_files(_report(one="old"), tmp_path) == []
