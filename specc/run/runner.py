"""Running jobs: functions on data, here or on an executor; what a store has is not run again.

A job is a function of a module on data alone, so it may run in any process of any machine that has
this version of specc. Its result depends on nothing else: neither on where it runs, nor on when.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import Factory, define, field, frozen

from specc.diagnostics import Diagnostic
from specc.run.events import Events
from specc.run.failure import EvaluationError
from specc.run.keys import code

if TYPE_CHECKING:
    from specc.results.rows import CandidateTable
    from specc.run.store import Store


@frozen(eq=False)
class Job:
    """A piece of work.

    Attributes:
        function: of a module.
        arguments: data.
        name: what messages call its input.
        here: the same where it runs in this process, which may have prepared it; it may tell of
            progress.
        key: a hash of all that the result depends on; what has none is not stored.
        form: the class of the result in a store.
        work: what it tells of progress in all, about; see `Events.advanced`.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    name: str
    here: Callable[[], Any] | None = None
    key: str = ""
    form: Any = None
    work: float = 1.0

    def run_here(self) -> Any:
        """Run it in this process."""
        return self.function(*self.arguments) if self.here is None else self.here()


@define(eq=False)
class Runner:
    """What a run works with.

    Attributes:
        events: told of progress.
        executor: runs jobs; without one they run here, one after another.
        workers: how many of them run at a time; of a cluster, to which more may come, about.
        living: counts the workers that are there; None where the executor starts its own.
        store: of results.
        table: of all candidates, which results then do not keep.
        reused, made: results that the store had, and that were found anew.
    """

    events: Events = Factory(Events)
    executor: Executor | None = None
    workers: int = 1
    living: Callable[[], int] | None = None
    store: "Store | None" = None
    table: "CandidateTable | None" = None
    reused: int = field(default=0, init=False)
    made: int = field(default=0, init=False)

    def all(self, jobs: Sequence[Job]) -> list[Any]:
        """Return the results of jobs, in their order; see `each`."""
        found = dict(self.each(jobs))
        return [found[place] for place in range(len(jobs))]

    def each(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Yield the place and the result of each job, as they are known.

        Raises:
            EvaluationError: workers died of the same job twice, or are of another version. All
                other jobs are done and stored before.
        """
        waiting = []
        for place, job in enumerate(jobs):
            known, found = self.stored(job.key, job.form)
            if known:
                self.events.skipped(job.work)
                yield place, found
            else:
                waiting.append(place)
        # A single one has nothing beside it; on a cluster it is not for this machine nevertheless.
        alone = len(waiting) < 2 and self.living is None
        if self.executor is None or alone:
            for place in waiting:
                found = jobs[place].run_here()
                self.keep(jobs[place].key, found)
                yield place, found
            return
        yield from self._executed(self.executor, jobs, waiting)

    def _executed(
        self, executor: Executor, jobs: Sequence[Job], waiting: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        futures: dict[Future[Any], int] = {}
        failed: list[tuple[Job, BaseException]] = []
        suspects: list[int] = []
        tried: list[int] = []
        try:
            # The longest first: what is begun last keeps nobody waiting for long.
            for place in sorted(waiting, key=lambda n: -jobs[n].work):
                job = jobs[place]
                order = (code(), job.function, job.arguments)
                futures[executor.submit(performed, *order)] = place
            while futures:
                for future in self._completed(futures):
                    place = futures.pop(future)
                    try:
                        found = future.result()
                    except (Exception, CancelledError) as error:
                        # A cluster blames all that a worker had when it died: they are tried alone.
                        again = self.living is not None and _is(error, LOST)
                        if again and place not in suspects:
                            suspects.append(place)
                        else:
                            failed.append((jobs[place], error))
                        continue
                    self.keep(jobs[place].key, found)
                    self.events.advanced(jobs[place].work)
                    yield place, found
                if not futures and suspects != tried:
                    place = suspects[len(tried)]
                    tried.append(place)
                    job = jobs[place]
                    order = (code(), job.function, job.arguments)
                    futures[executor.submit(performed, *order)] = place
        finally:
            for future in futures:
                future.cancel()
        if failed:
            raise _failure(failed, len(waiting) - len(failed))

    def _completed(self, futures: "Collection[Future[Any]]") -> "Iterable[Future[Any]]":
        """Wait for some futures; not for ever where all workers of a cluster have gone."""
        lost_since: float | None = None
        while True:
            done, _ = wait(futures, WATCH_S, FIRST_COMPLETED)
            if done:
                return done
            if self.living is None or self.living():
                lost_since = None
                continue
            lost_since = lost_since or time.monotonic()
            if time.monotonic() - lost_since > NO_WORKERS_S:
                raise EvaluationError(_no_workers())

    def stored(self, key: str, form: Any) -> tuple[bool, Any]:
        """Return whether the store has the result of a key, and the result."""
        if self.store is None or not key:
            return False, None
        known, found = self.store.get(key, form)
        self.reused += known
        return known, found

    def keep(self, key: str, found: Any) -> None:
        """Store a result that was found."""
        if self.store is not None and key:
            self.made += 1
            self.store.put(key, found)

    @property
    def is_parallel(self) -> bool:
        """Whether jobs run beside each other."""
        return self.executor is not None and (self.workers > 1 or self.living is not None)


JOBS = "SPECC_JOBS"


@contextmanager
def local_runner(jobs: int | None = None) -> Iterator[Runner]:
    """Yield a runner with so many processes of this machine.

    By default as many as SPECC_JOBS says, or one for each core. They are started when there is
    work that is worth it; one alone is this process.
    """
    named = os.environ.get(JOBS, "")
    count = jobs or (int(named) if named.isdigit() else 0) or usable_cores()
    if count < 2:
        yield Runner()
        return
    from specc.run.workers import Processes

    executor = Processes(count)
    try:
        yield Runner(executor=executor, workers=count)
    finally:
        executor.shutdown(cancel_futures=True)


WATCH_S = 5.0  # between two looks at whether a cluster has workers
NO_WORKERS_S = 60.0  # after which it is not waited for them any more


class OtherVersionError(Exception):
    """A worker has another version of specc than the process that gives it work."""

    def __init__(self, own: str, wanted: str) -> None:
        super().__init__(own, wanted)
        self.own, self.wanted = own, wanted


def performed(version: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run a job in a worker, if that has the version of the process that gives it.

    Raises:
        OtherVersionError: it has another one.
    """
    if version != code():
        raise OtherVersionError(code(), version)
    return function(*arguments)


def _failure(failed: Sequence[tuple[Job, BaseException]], done: int) -> BaseException:
    """Return what to raise of jobs that failed: what ended workers, before what is wrong itself."""
    errors = [error for _, error in failed]
    for error in errors:
        if isinstance(error, OtherVersionError):
            return EvaluationError(other_version("a worker", error.own))
    if any(_is(error, GONE) for error in errors):
        return EvaluationError(_scheduler_gone())
    lost = [(job, error) for job, error in failed if _is(error, LOST)]
    if lost:
        names = list(dict.fromkeys(job.name for job, _ in lost))
        exitcode = getattr(lost[-1][1], "exitcode", None)
        return EvaluationError(_lost(exitcode, names, done))
    return errors[0]


def _is(error: BaseException, names: set[str]) -> bool:
    return bool({cls.__name__ for cls in type(error).__mro__} & names)


# By name: those of Dask, and of the standard library, are known only to whoever imports them.
LOST = {"WorkerLostError", "KilledWorker", "BrokenExecutor"}
GONE = {"CancelledError", "FutureCancelledError", "CommClosedError"}


def other_version(whose: str, own: str) -> Diagnostic:
    """Return what to say of a worker whose specc is not that of this process."""
    version = code().partition("+")[0]
    return Diagnostic(
        "E0021",
        f"{whose} has specc {own}, and this is specc {code()}",
        why="results of different versions would be mixed",
        help=f"install the same version where the workers run: pip install specc=={version}, or "
        "from the same commit",
    )


def _scheduler_gone() -> Diagnostic:
    return Diagnostic(
        "E0022",
        "the scheduler of the cluster is gone",
        why="it ended, or cannot be reached any more",
        help="start it again and repeat the run: what was found is in the store",
    )


def _no_workers() -> Diagnostic:
    return Diagnostic(
        "E0022",
        f"the cluster has had no worker for {NO_WORKERS_S:.0f} s",
        why="they ended, as where the time of a batch job is over",
        help="start workers and repeat the run: what was found is in the store",
    )


_MOST_NAMED = 5


def _lost(exitcode: int | None, names: Sequence[str], done: int) -> Diagnostic:
    """Say that the system ended workers, and at what they were."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    why = "the worker is gone; usually its machine is out of memory"
    if exitcode is not None:
        why = f"it ended by itself, with code {exitcode}"
    if exitcode is not None and exitcode < 0:
        why = f"by signal {-exitcode}; usually the machine is out of memory"
    return Diagnostic(
        "E0020",
        f"a worker process ended twice while it evaluated {', '.join(names[:_MOST_NAMED])}{more}",
        why=f"{why}; all else ({done}) is done" if done else why,
        help="free memory, or make the search smaller: fewer layouts (parallel) or batch sizes "
        "(engine.decode_batch), or fewer values in a sweep",
    )


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
