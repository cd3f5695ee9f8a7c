"""Running jobs on a Dask cluster: workers of other machines, or some of this one.

Dask gives the work of a worker that dies to another one, and tells which work ended several.
"""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from specc import signals
from specc.diagnostics import Diagnostic
from specc.run.failure import EvaluationError
from specc.run.keys import code
from specc.run.runner import Runner, other_version
from specc.run.workers import TRIES, without_main

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local:"
START = "'dask worker ADDRESS --nworkers 32 --nthreads 1'"
LATER = 16  # workers that a cluster has at least when all of them have come
PATIENCE_S = 30  # for a scheduler that does not answer, and for a first worker


@contextmanager
def cluster_runner(address: str) -> Iterator[Runner]:
    """Yield a runner on a cluster.

    Args:
        address: of its scheduler, such as `tcp://host:8786`, or `local:2` for two workers here.

    Raises:
        EvaluationError: Dask is not installed, nobody answers, or a worker has another version.
    """
    try:
        import dask
        import distributed
    except ImportError:
        raise _error(
            "--cluster needs Dask, which is not installed", "pip install 'specc[cluster]'"
        ) from None
    quiet = {
        "distributed.scheduler.allowed-failures": TRIES - 1,
        "distributed.comm.timeouts.connect": f"{PATIENCE_S}s",
        "logging.distributed": "critical",
        "distributed.admin.large-graph-warning-threshold": "1GB",
    }
    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
    # An interrupt is to end the workers too, in their own way.
    with signals.raised(), dask.config.set(quiet), _client(distributed, address) as client:
        count = _checked(client)
        if not address.startswith(LOCAL):
            count = max(count, LATER)
        executor = client.get_executor(pure=False)
        try:
            yield Runner(executor=executor, workers=count, living=lambda: len(client.nthreads()))
        finally:
            executor.shutdown(wait=False)


@contextmanager
def _client(distributed: "ModuleType", address: str) -> Iterator["Client"]:
    """Yield a client of a cluster, which ends with it where it is of this machine."""
    if not address.startswith(LOCAL):
        try:
            client = distributed.Client(address, timeout=PATIENCE_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise _error(
                f"no scheduler answers at {address}",
                f"start 'dask scheduler', and workers with {START}; local:2 starts two here",
                str(error).partition("\n")[0],
            ) from None
        with client:
            yield client
        return
    number = address.removeprefix(LOCAL)
    if not number.isdigit() or not int(number):
        raise _error(f"'{address}' names no number of workers", "write local:2 for two of them")
    with (
        without_main(),
        _local_cluster(distributed, int(number)) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _local_cluster(distributed: "ModuleType", workers: int) -> Any:
    """Return workers of this machine. An interrupt is not theirs: this process ends them."""
    with _unheard():
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
            silence_logs=logging.CRITICAL + 1,
        )


@contextmanager
def _unheard() -> Iterator[None]:
    """Let processes that are started ignore interrupts; only a main thread can say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def _checked(client: "Client") -> int:
    """Return the threads of all workers, each of which has the version of this process."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError:
        raise _error("the cluster has no worker", f"start some with {START}") from None
    found = client.run(own_version, on_error="return")
    for worker, version in found.items():
        if version != code():
            known = version if isinstance(version, str) else "that cannot be imported"
            raise EvaluationError(other_version(f"the worker at {worker}", known))
    return sum(client.nthreads().values())


def own_version() -> str:
    """Return what tells the version of specc that a worker has."""
    return code()


def _error(message: str, help_: str, why: str = "") -> EvaluationError:
    return EvaluationError(Diagnostic("E0022", message, why=why, help=help_))
