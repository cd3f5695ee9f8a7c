"""In a git repository a spec reads what lies in it, or what is allowed, and nothing else."""

import json
from pathlib import Path

import pytest

import specc
from specc.cli import main
from specc.editor.analysis import Analysis
from specc.fence import Fence
from specc.session import Session

SECRET = "root:x:0:0:secret\n"
PLAN = """
use std.devices
use std.models
workload chat {{ input = 10 tok; output = 10 tok {workload} }}
deployment d {{ model = {model}; device = test_device; devices = 1 }}
study s {{ workload = chat; deployments = d {study} }}
"""


def _plan(workload: str = "", study: str = "", model: str = "qwen3_8b", before: str = "") -> str:
    return before + PLAN.format(workload=workload, study=study, model=model)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of specs in a repository; beside the repository lies what nobody may see."""
    specs = tmp_path / "repository" / "specs"
    specs.mkdir(parents=True)
    (specs.parent / ".git").mkdir()
    (specs.parent / ".git" / "config").write_text(SECRET)
    (specs.parent / "common.spec").write_text("let common = 1\n")
    (tmp_path / "outside").mkdir()
    for name in ("secret", "secret.spec", "secret.csv", "secret.json"):
        (tmp_path / "outside" / name).write_text(SECRET)
    (specs / "link").symlink_to(tmp_path / "outside" / "secret.csv")
    (specs / "dangling").symlink_to(tmp_path / "outside" / "none.csv")
    (specs / "folder").symlink_to(tmp_path / "outside")
    (specs / "chain").symlink_to("link")
    monkeypatch.chdir(specs)
    return specs


NAMED = [
    "link",
    "dangling",
    "chain",
    "folder/secret.csv",
    "folder/none.csv",
    "../../outside/secret.csv",
    "../../outside/none.csv",
    "/etc/passwd",
    "/etc/there/is/no/such/file",
    "/proc/self/environ",
    "/proc/self/root/etc/passwd",
    "/proc/self/cwd/../../outside/secret",
    "../.git/config",
    "../.git/none",
    "../.GIT/config",
]
ASKING = {
    "use": lambda name: _plan(before=f'use "{name}" as other\n'),
    "config": lambda name: _plan(model="mine", before=f'model mine {{ config = "{name}" }}\n'),
    "trace": lambda name: _plan(study=f'; simulate {{ arrival = trace("{name}") }}'),
    "lengths": lambda name: _plan().replace(
        "input = 10 tok; output = 10 tok", f'requests = lengths_from("{name}")'
    ),
}


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("asking", ASKING)
def test_what_lies_outside_is_refused_and_not_disclosed(
    folder: Path, named: str, asking: str, capfd
) -> None:
    (folder / "plan.spec").write_text(ASKING[asking](named))
    assert main(["check", "plan.spec", "--format", "json"]) == 2
    found = json.loads(capfd.readouterr().out)["diagnostics"]
    assert [d["code"] for d in found] == ["E0013"]
    assert "--allow-path" in found[0]["help"]
    (label,) = found[0]["labels"]
    assert label["file"] == "plan.spec"
    # The same words whether or not there is such a file.
    assert found[0]["message"].removeprefix(f"'{named}' ") in {
        "is outside of the git repository",
        "is in git's own folder",
    }
    assert main(["check", "plan.spec"]) == 2
    assert "secret:" not in "".join(capfd.readouterr())


def test_what_is_missing_inside_is_said_to_be_missing(folder: Path, capfd) -> None:
    (folder / "plan.spec").write_text(_plan(before='use "none.spec"\n'))
    assert main(["check", "plan.spec"]) == 2
    assert "E0001" in capfd.readouterr().err


def test_what_lies_inside_is_read(folder: Path, tmp_path: Path) -> None:
    (folder / "inside").symlink_to("../common.spec")
    absolute = tmp_path / "repository" / "common.spec"
    for name in ("../common.spec", "inside", absolute):
        (folder / "plan.spec").write_text(f'use "{name}" as other\n' + _plan())
        assert "E0013" not in [d.code for d in Session("plan.spec").diagnostics]


def test_folders_that_are_allowed(folder: Path, tmp_path: Path, capsys) -> None:
    header = "arrived_at,num_prefill_tokens,num_decode_tokens"
    (tmp_path / "outside" / "secret.csv").write_text(f"{header}\n0,40,8\n0,40,8\n")
    (folder / "plan.spec").write_text(_plan(study='; simulate { arrival = trace("link") }'))
    for allowed in ("../../outside", str(tmp_path), "folder", "../../outside/secret.csv"):
        arguments = ["plan.spec", "--allow-path", "none", "--allow-path", allowed]
        for command in ("check", "plan", "simulate", "fmt"):
            assert main([command, *arguments]) in (0, 3)
        assert main(["show", "ops", *arguments]) == 0
        assert main(["run", *arguments, "--out", str(tmp_path / "out")]) in (0, 3)
    assert main(["check", "plan.spec", "--allow-path", str(tmp_path / "out")]) == 2
    assert specc.compile("plan.spec", allow_paths=tmp_path / "outside").document is not None
    assert specc.compile("plan.spec", allow_paths=["..", str(tmp_path)]).document is not None
    assert specc.compile("plan.spec").document is None
    assert Session("plan.spec", allow_paths=[tmp_path]).document is not None
    capsys.readouterr()


def test_a_device_in_a_spec_and_what_it_uses(folder: Path, tmp_path: Path) -> None:
    (folder / "link.spec").symlink_to(tmp_path / "outside" / "mine.spec")
    (tmp_path / "outside" / "mine.spec").write_text(
        "use std.devices\ndevice mine extends test_device { memory = 32 GiB }\n"
    )
    (folder / "plan.spec").write_text('use "link.spec"\n')
    assert specc.library.device_in("plan.spec", "mine", [tmp_path]).name == "mine"
    with pytest.raises(specc.LibraryError, match="outside of the git repository"):
        specc.library.device_in("plan.spec", "mine")


def test_an_editor_is_told_so_too(folder: Path, tmp_path: Path) -> None:
    text = 'use "folder/secret.spec"\n'
    assert [d.code for d in Analysis(folder / "a.spec", text).diagnostics()] == ["E0013"]
    allowed = Analysis(folder / "a.spec", text, {}, (tmp_path,))
    assert "E0013" not in [d.code for d in allowed.checked.diagnostics]


def test_the_command_line_names_files_beside_the_spec(folder: Path, capfd) -> None:
    (folder / "plan.spec").write_text(_plan(study="; simulate { arrival = burst }"))
    assert main(["check", "plan.spec", "--set", 's.simulate.arrival=trace("link")']) == 2
    assert "E0013" in capfd.readouterr().err
    (folder / "day.csv").write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,40,8\n")
    assert main(["check", "plan.spec", "--set", 's.simulate.arrival=trace("day.csv")']) == 0


def test_a_spec_that_is_named_may_lie_anywhere(folder: Path, tmp_path: Path, capfd) -> None:
    (tmp_path / "outside" / "plan.spec").write_text(_plan(before='use "next.spec"\n'))
    (tmp_path / "outside" / "next.spec").write_text("let a = 1\n")
    assert main(["check", str(tmp_path / "outside" / "plan.spec")]) == 0


def test_a_spec_in_a_repository_that_is_a_link_out_of_it(folder: Path, capfd) -> None:
    """CI checks `specs/*.spec`, whatever a stranger has put there."""
    (folder / "plan.spec").symlink_to("/etc/passwd")
    for command in ("check", "run", "plan", "fmt"):
        assert main([command, "plan.spec"]) == 2
        out, err = capfd.readouterr()
        assert "E0013" in err
        assert "root:" not in out + err


def test_libraries_may_lie_anywhere_and_use_their_own_files(
    folder: Path, tmp_path: Path, monkeypatch
) -> None:
    lab = tmp_path / "site" / "ascend_lab"
    (lab / "shared").mkdir(parents=True)
    (tmp_path / "store").write_text("let b = 2\n")
    (lab / "shared" / "links.spec").symlink_to(tmp_path / "store")  # as uv installs files
    (lab / "devices.spec").write_text('use "shared/links.spec"\nlet a = b\n')
    monkeypatch.setattr("specc.packages.folder_of", lambda name: lab if name == "lab" else None)
    (folder / "plan.spec").write_text(_plan(before="use lab.devices\nassert a == 2\n"))
    assert [d.message for d in Session("plan.spec").diagnostics if d.is_error] == []


def test_no_fence_without_a_repository(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside" / "plan.spec").write_text('use "../repository/common.spec"\n')
    assert Fence.around(tmp_path / "outside").repository is None
    assert not Fence().refusal(Path("/etc/passwd"))


@pytest.mark.parametrize("marker", ["folder", "file", "link"])
def test_the_root_is_the_nearest_folder_with_a_marker_of_git(tmp_path: Path, marker: str) -> None:
    inner = tmp_path / "outer" / "inner"
    (inner / "specs").mkdir(parents=True)
    (tmp_path / "outer" / ".git").mkdir()
    if marker == "folder":
        (inner / ".git").mkdir()
    elif marker == "file":
        (inner / ".git").write_text("gitdir: elsewhere\n")
    else:
        (inner / ".git").symlink_to("none")
    assert Fence.around(inner / "specs").repository == inner
    assert Fence.around(inner).repository == inner
    assert Fence.around(tmp_path / "outer").repository == tmp_path / "outer"


def test_a_repository_that_is_reached_by_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "short").symlink_to(folder)
    assert Fence.around(tmp_path / "short").repository == folder.parent
    (folder / "plan.spec").write_text(_plan(before='use "../common.spec" as other\n'))
    diagnostics = Session(tmp_path / "short" / "plan.spec").diagnostics
    assert "E0013" not in [d.code for d in diagnostics]
