"""Worker processes: what happens when one dies, when work fails, and when the parent is gone."""

import os
import signal
import subprocess
import sys
from concurrent.futures import as_completed
from pathlib import Path

import pytest

from specc.plan import Task
from specc.run import executors
from specc.run.failure import EvaluationError
from specc.run.workers import Processes, WorkerLostError
from specc.session import Session
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")


def squared(number: int) -> int:
    return number * number


def dying_once(part: tuple[int, str]) -> int:
    """Die of a part whose file is not there yet; the next one finds it."""
    number, mark = part
    if mark and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def dying(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def failing(number: int) -> int:
    raise RecursionError(f"too deep at {number}")


def not_portable(number: int) -> int:
    class LocalError(Exception):
        pass

    raise LocalError(str(number))


def unfit(number: int) -> object:
    return lambda: number


def dying_task(group: list[Task]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def waiting(_: int) -> None:
    print(os.getpid(), flush=True)
    signal.pause()


def done(function, parts, processes: int) -> list[object]:
    with Processes(processes) as executor:
        return [future.result() for future in [executor.submit(function, n) for n in parts]]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_part_comes_back(processes: int) -> None:
    assert done(squared, range(20), processes) == [n * n for n in range(20)]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_worker_that_dies_once_changes_nothing(processes: int, tmp_path: Path) -> None:
    marks = {2: str(tmp_path / "a"), 5: str(tmp_path / "b")}
    assert done(dying_once, [(n, marks.get(n, "")) for n in range(8)], processes) == [*range(8)]


def test_workers_that_die_of_the_same_work_twice() -> None:
    """All other work is done nevertheless."""
    with Processes(2) as executor:
        futures = {executor.submit(dying, n): n for n in range(1, 6)}
        ended = {futures[future]: future for future in as_completed(futures)}
    assert [ended[n].result() for n in (1, 2, 4, 5)] == [1, 2, 4, 5]
    with pytest.raises(WorkerLostError) as caught:
        ended[3].result()
    assert caught.value.exitcode == -signal.SIGKILL


def test_an_exception_is_no_killed_worker() -> None:
    with pytest.raises(RecursionError, match="too deep at 7") as caught:
        done(failing, [7], 1)
    assert "in failing" in "\n".join(caught.value.__notes__)
    with pytest.raises(RuntimeError, match="LocalError: 7"):
        done(not_portable, [7], 1)
    with pytest.raises((RuntimeError, AttributeError), match=r"unfit\.<locals>"):
        done(unfit, [7], 1)
    with pytest.raises((TypeError, AttributeError), match=r"lambda|local object"):
        done(lambda n: n, [7], 1)


def test_a_system_that_starts_no_process(monkeypatch) -> None:
    """Then the work is done here."""

    def refuse(_: object) -> None:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)
    assert done(squared, [1, 2, 3], 2) == [1, 4, 9]


def test_what_waits_is_cancelled_at_an_end_in_the_middle() -> None:
    executor = Processes(1)
    futures = [executor.submit(signal.pause), *(executor.submit(squared, n) for n in range(9))]
    while not futures[0].running():
        pass
    executor.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in futures[1:])
    with pytest.raises(WorkerLostError):
        futures[0].result()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(squared, 1)


def test_what_the_user_is_told(tmp_path: Path, small_spec, monkeypatch) -> None:
    (tmp_path / "plan.spec").write_text(small_spec())
    monkeypatch.setattr(executors, "WORTH_PROCESSES", 0.0)
    monkeypatch.setenv("SPECC_JOBS", "2")
    monkeypatch.setattr(executors, "outcomes", dying_task)
    with pytest.raises(EvaluationError) as caught:
        _ = Session(tmp_path / "plan.spec").results
    diagnostic = caught.value.diagnostic
    assert diagnostic.code == "E0020"
    assert "'eight'" in diagnostic.message
    assert "memory" in diagnostic.why


def test_results_do_not_depend_on_the_number_of_processes(
    tmp_path: Path, small_spec, monkeypatch
) -> None:
    (tmp_path / "plan.spec").write_text(small_spec())
    alone = Session(tmp_path / "plan.spec").results.to_json()
    monkeypatch.setattr(executors, "WORTH_PROCESSES", 0.0)
    monkeypatch.setenv("SPECC_JOBS", "2")
    monkeypatch.setattr(executors, "CHUNKS", 1000)
    assert Session(tmp_path / "plan.spec").results.to_json() == alone


def test_a_worker_ends_with_its_parent() -> None:
    """Also in the middle of its work, which it would never end."""
    code = (
        "from specc.run.workers import Processes\n"
        "from tests.run.test_workers import waiting\n"
        "if __name__ == '__main__': Processes(1).submit(waiting, 1).result()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        # The pipe ends when the last process that could write to it has ended.
        assert parent.stdout.read() == ""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(worker)], capture_output=True, text=True, check=False
    )
    assert state.stdout[:1] in ("", "Z")


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Workers do not import the script that uses specc, so it does not begin again in each."""
    script = tmp_path / "script.py"
    script.write_text(
        "import specc\n"
        "from pathlib import Path\n"
        "from tests.run.signals import PLAN\n"
        "print('begins')\n"
        "Path('large.spec').write_text(PLAN)\n"
        "print(len(specc.compile('large.spec').results.studies))\n"
    )
    own = {**os.environ, "PYTHONPATH": str(ROOT), "SPECC_JOBS": "2"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=own,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "begins\n2\n"
