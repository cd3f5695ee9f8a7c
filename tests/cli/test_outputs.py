"""What commands write, and where: never over what they read, and as streams where that is asked."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import specc as package
from specc.check.overrides import digest
from specc.cli import main
from tests.conftest import ROOT

SIMULATED = """
workload small { input = 40 tok; output = 8 tok; slo { ttft.p99 <= 1 s } }
server measured {
    step_cost {
        | step    | size | time  |
        | prefill | 40   | 25 ms |
        | decode  | 1    | 10 ms |
        | decode  | 8    | 14 ms |
    }
}
study s { workload = small; servers = measured; simulate { arrival = trace("day.csv") } }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_spec) -> Path:
    """A folder with a plan, and one that is simulated from a trace."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.spec").write_text(small_spec())
    (tmp_path / "simulated.spec").write_text(SIMULATED)
    header = "arrived_at,num_prefill_tokens,num_decode_tokens"
    (tmp_path / "day.csv").write_text(f"{header}\n0,40,8\n1,40,8\n")
    return tmp_path


@pytest.fixture
def specc(folder: Path):
    """Run specc as a process, for its streams."""

    def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "specc", *arguments],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=120,
        )

    return run


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_a_table_on_standard_output(specc, folder: Path, name: str) -> None:
    done = specc("run", "plan.spec", "--csv", name)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("study,")
    assert len(done.stdout.splitlines()) == 5
    assert "wrote plan.report.md" in done.stderr
    assert specc("run", "plan.spec", "--csv", "table.csv").returncode == 0
    assert (folder / "table.csv").read_text() == done.stdout
    done = specc("run", "plan.spec", "--csv", name, "--format", "json")
    assert done.stdout == (folder / "table.csv").read_text()
    assert json.loads(done.stderr)["format"]
    assert not (folder / "-").exists()


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_a_trace_on_standard_output(specc, folder: Path, name: str) -> None:
    done = specc("simulate", "simulated.spec", "--perfetto", name)
    assert done.returncode == 0
    assert json.loads(done.stdout)["traceEvents"]
    assert "TTFT" in done.stderr
    assert not (folder / "-").exists()


@pytest.mark.parametrize(
    "arguments",
    [("run", "plan.spec", "--csv", "-"), ("simulate", "simulated.spec", "--perfetto", "-")],
)
def test_standard_output_that_is_full_or_gone(specc, arguments: tuple[str, ...]) -> None:
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            done = specc(*arguments, stdout=full)
        assert (done.returncode, "E0006" in done.stderr) == (2, True)
        assert "Traceback" not in done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    done = specc(*arguments, stdout=writing)
    os.close(writing)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("day.csv", "the run reads this file"),
        ("./day.csv", "the run reads this file"),
        ("link.csv", "it is a link"),
        ("hard.csv", "the run reads this file"),
        ("simulated.spec", "the run reads this file"),
        ("other.spec", "a spec is never overwritten"),
        ("OTHER.Spec", "a spec is never overwritten"),
        ("fifo", "it is a FIFO"),
        ("/dev/null", "it is a device"),
        ("out.csv", "it is a link"),
        ("folder", "it is a folder"),
        ("none/a.csv", "no such file or directory"),
    ],
)
@pytest.mark.parametrize("option", ["--csv", "--perfetto"])
def test_what_is_no_output(folder: Path, option: str, target: str, words: str, capsys) -> None:
    (folder / "link.csv").symlink_to("day.csv")
    os.link(folder / "day.csv", folder / "hard.csv")
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    (folder / "out.csv").symlink_to(folder.parent / "elsewhere")
    before = sorted(folder.iterdir()), (folder / "day.csv").read_bytes()
    command = ["run"] if option == "--csv" else ["simulate"]
    assert main([*command, "simulated.spec", option, target]) == 2
    err = capsys.readouterr().err
    assert "E0006" in err
    assert words in err
    assert (sorted(folder.iterdir()), (folder / "day.csv").read_bytes()) == before
    assert not (folder.parent / "elsewhere").exists()


def test_what_can_never_be_written_is_said_before_the_work(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("specc.session.Session.results", None)
    assert main(["run", "plan.spec", "--csv", "plan.spec"]) == 2


def test_a_report_never_replaces_what_it_is_made_of(folder: Path, capsys) -> None:
    text = (folder / "plan.spec").read_text()
    (folder / "study.spec").write_text(text + 'use "study.report.md" as other\n')
    (folder / "study.report.md").write_text("let a = 1\n")
    assert main(["run", "study.spec"]) == 2
    assert "the run reads this file" in capsys.readouterr().err
    assert (folder / "study.report.md").read_text() == "let a = 1\n"
    assert not (folder / "study.result.json").exists()


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if ".re" in path.name}


def _with(suffix: str) -> set[str]:
    stem = f"plan{suffix}"
    return {f"{stem}.report.md", f"{stem}.report.html", f"{stem}.result.json"} | {
        f"{stem}.report.charts"
    }


def test_a_report_of_fields_that_were_set_has_names_of_its_own(folder: Path, capsys) -> None:
    assert main(["run", "plan.spec"]) == 0
    before = (folder / "plan.report.md").read_bytes()
    setting = ["--set", "chat.output=900tok", "--set", "chat.input=1Ki tok"]
    assert main(["run", "plan.spec", *setting]) == 0
    suffix = f".set-{digest([setting[1], setting[3]])}"
    assert re.fullmatch(r"\.set-[0-9a-f]{8}", suffix)
    assert _names(folder) == _with("") | _with(suffix)
    assert (folder / "plan.report.md").read_bytes() == before
    text = (folder / f"plan{suffix}.report.md").read_text()
    for name in re.findall(r'(?:src|srcset)="([^"]+)"', text):
        assert name.startswith(f"plan{suffix}.report.charts/")
        assert (folder / name).is_file()
    for checked in ([], setting, [*setting[2:], *setting[:2]], [*setting, "--out", "."]):
        assert main(["run", "plan.spec", "--check", *checked]) == 0
    assert main(["run", "plan.spec", "--check", "--set", "chat.output=901tok"]) == 1
    assert "plan.set-" in capsys.readouterr().err
    assert main(["run", "plan.spec", *setting, "--out", "other"]) == 0
    assert _names(folder / "other") == _with("")
    assert main(["run", "plan.spec", "--check", *setting, "--out", "other"]) == 0


def test_overrides_that_mean_the_same_have_the_same_digits() -> None:
    plain = digest(["chat.output=900tok", "eight.quant = bf16"])
    assert plain == digest(["eight.quant=bf16", " workload.chat.output = 900 tok  # more"])
    others = [["chat.output=900tok"], ["chat.output=901tok", "eight.quant=bf16"], []]
    assert plain not in {digest(other) for other in others}
    assert digest(['m.config="a b"']) != digest(['m.config="ab"'])
    assert digest([""]) != digest(["workload"])


def test_runs_at_once_leave_the_files_of_one_of_them(folder: Path) -> None:
    command = [sys.executable, "-m", "specc", "run", "plan.spec", "--out", "reports"]
    runs = [
        subprocess.Popen(
            [*command, "--set", f"chat.output={length}tok"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        for length in (700, 800, 900)
    ]
    assert [run.wait() for run in runs] == [0, 0, 0]
    out = folder / "reports"
    result = json.loads((out / "plan.result.json").read_text())
    (setting,) = result["overrides"]
    assert f"--set {setting}" in (out / "plan.report.md").read_text()
    made = json.loads((out / "plan.report.charts" / "manifest.json").read_text())["files"]
    for name, hashed in made.items():
        data = (out / "plan.report.charts" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == hashed
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    assert main(["run", "plan.spec", "--check", "--out", "reports", "--set", setting]) == 0


def test_pictures_of_others_stay_and_are_not_stale(folder: Path, capsys) -> None:
    assert main(["run", "plan.spec"]) == 0
    (folder / "plan.report.charts" / "mine.svg").write_text("mine")
    assert main(["run", "plan.spec", "--check"]) == 0
    text = (folder / "plan.spec").read_text()
    (folder / "plan.spec").write_text(text.replace("layouts", "other"))
    assert main(["run", "plan.spec"]) == 0
    names = {path.name for path in (folder / "plan.report.charts").glob("*")}
    assert "mine.svg" in names
    assert not [name for name in names if name.startswith("layouts")]
    capsys.readouterr()


def test_a_link_for_pictures_is_refused(folder: Path, capsys) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "plan.report.charts").symlink_to("elsewhere")
    for arguments in (["run", "plan.spec"], ["run", "plan.spec", "--check"]):
        assert main(arguments) == 2
        err = capsys.readouterr().err
        assert "E0006" in err
        assert "remove the link" in err
    assert list((folder / "elsewhere").iterdir()) == []
    assert not (folder / "plan.report.md").exists()


def test_no_command_waits_for_a_fifo(specc, folder: Path) -> None:
    os.mkfifo(folder / "fifo.spec")
    os.mkfifo(folder / "fifo.csv")
    os.mkfifo(folder / "fifo.json")
    (folder / "asking.spec").write_text(SIMULATED.replace("day.csv", "fifo.csv"))
    (folder / "used.spec").write_text('use "fifo.spec"\n')
    text = (folder / "plan.spec").read_text().replace("qwen3_32b", "mine")
    (folder / "config.spec").write_text(text + 'model mine { config = "fifo.json" }\n')
    device = ("--device", "atlas_800_a2_376t")
    for arguments in (
        *[(command, "fifo.spec") for command in ("check", "run", "plan", "simulate", "fmt")],
        ("check", "."),
        ("check", "asking.spec", "used.spec", "config.spec"),
        ("check", "--fix", "fifo.spec"),
        ("show", "ops", "fifo.spec"),
        ("show", "model", "fifo.json"),
        ("validate", "ops", "fifo.csv", *device),
        ("validate", "ops", "day.csv", *device, "--spec", "fifo.spec"),
        ("validate", "steps", "fifo.csv"),
        ("validate", "serving", "fifo.csv"),
        ("calibrate", "fifo.csv", *device),
    ):
        done = specc(*arguments)
        assert done.returncode == 2, arguments
        assert "is a FIFO" in done.stderr, arguments
    with pytest.raises(package.ResultsError, match="FIFO"):
        package.load_results("fifo.json")


def test_init_beside_what_is_no_file(folder: Path, capsys) -> None:
    (folder / "link.spec").symlink_to("elsewhere.spec")
    assert main(["init", "link.spec"]) == 2
    (folder / ".gitignore").symlink_to(folder.parent / "ignore")
    (folder.parent / "ignore").write_text("*.pyc\n")
    assert main(["init", "first.spec"]) == 2
    assert "it is a link" in capsys.readouterr().err
    (folder / ".gitignore").unlink()
    os.mkfifo(folder / ".gitignore")
    assert main(["init", "first.spec"]) == 2
    assert "FIFO" in capsys.readouterr().err
    assert main(["check", "plan.spec"]) == 0  # which asks the file too
    assert (folder.parent / "ignore").read_text() == "*.pyc\n"
    assert not {"first.spec", "elsewhere.spec", ".gitattributes"} & set(os.listdir(folder))


def test_a_link_to_a_spec_stays_a_link(folder: Path, capsys) -> None:
    (folder / "specs").mkdir()
    (folder / "specs" / "link.spec").symlink_to("../plan.spec")
    (folder / "plan.spec").write_text("let a=1\n")
    assert main(["fmt", "specs/link.spec"]) == 0
    assert (folder / "specs" / "link.spec").is_symlink()
    assert (folder / "plan.spec").read_text() == "let a = 1\n"
    capsys.readouterr()
