"""What a stranger's merge request can hold must not act on the machine that checks it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from specc.cli.git import ignored
from specc.cli.main import main
from tests.begun import begun
from tests.conftest import ROOT

SPEC = "use std.models\nworkload w { input = 1 tok; output = 1 tok }\n"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    _git(tmp_path, "init", "-q")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@needs_git
def test_a_folder_that_looks_like_a_repository_runs_nothing(repository: Path) -> None:
    """A bare repository can be committed as plain files, with a setting that names a program."""
    inner = repository / "e"
    for folder in ("refs", "objects"):
        (inner / folder).mkdir(parents=True)
    (inner / "HEAD").write_text("ref: refs/heads/main\n")
    mark = repository / "ran"
    (inner / "config").write_text(
        "[core]\nrepositoryformatversion = 0\nbare = false\nworktree = .\n"
        f'fsmonitor = "touch {mark}; false"\n'
    )
    (inner / ".gitignore").write_text("*.spec\n")
    (inner / "plan.spec").write_text(SPEC)
    assert main(["check", "e/plan.spec"]) == 0
    assert not mark.exists()
    found = ignored(Path("e/plan.spec"))
    assert found is not None
    assert found.code == "W0005"


@needs_git
def test_ignored_specs_are_told_from_others(repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / ".gitignore").write_text("*.spec\n")
    for name in ("plan.spec", "sub/other.spec"):
        (repository / name).write_text(SPEC)
        assert ignored(Path(name)) is not None
    (repository / ".gitignore").write_text("*.spec\n!*.spec\n")
    assert ignored(Path("sub/other.spec")) is None


@needs_git
def test_a_report_is_not_written_into_git(repository: Path, capsys) -> None:
    example = (ROOT / "specs" / "qwen3-32b-test-device.spec").read_text()
    (repository / "plan.spec").write_text(example)
    before = (repository / ".git" / "config").read_bytes()
    (repository / "plan.report.md").symlink_to(".git/config")
    assert main(["run", "plan.spec"]) == 2
    assert "it is a link" in capsys.readouterr().err
    assert (repository / ".git" / "config").read_bytes() == before


def test_a_long_chain_of_bases_ends(tmp_path: Path, capsys) -> None:
    links = "".join(f"workload w{n} extends w{n - 1} {{ }}\n" for n in range(1, 3000))
    (tmp_path / "plan.spec").write_text(f"workload w0 {{ input = 1 tok }}\n{links}")
    assert main(["check", str(tmp_path / "plan.spec")]) == 2
    assert "extend each other more than 64 deep" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="folders in use can be removed on POSIX alone")
def test_the_current_folder_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os; os.rmdir({str(gone)!r}); from specc.cli import main; print(main(['check']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=gone, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "2\n"
    assert "the current folder no longer exists" in done.stderr


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="pipes of this system always block")
def test_output_into_a_pipe_that_does_not_block() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    # Nothing is read until the pipe is full, and the writer waits.
    process = begun(
        "select:select", ["docs", "--format", "json"], ROOT, stdout=theirs, stderr=subprocess.PIPE
    )
    os.close(theirs)
    read = b""
    while part := os.read(ours, 1 << 16):
        read += part
    os.close(ours)
    assert process.wait() == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert read.rstrip().endswith((b"}", b"]"))
    assert len(read) > 1 << 16


def test_a_table_without_a_folder_is_said_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    example = (ROOT / "specs" / "qwen3-32b-test-device.spec").read_text()
    (tmp_path / "plan.spec").write_text(example)
    monkeypatch.setattr("specc.run.plans.run", lambda *_: pytest.fail("the run has begun"))
    for options in (["--csv", "none/x.csv"], ["--out", "plan.spec/x"]):
        assert main(["run", "plan.spec", *options]) == 2
        assert "cannot write" in capsys.readouterr().err
