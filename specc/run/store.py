"""Results of earlier runs, by the hash of what they depend on: an interrupted run goes on.

A table of a sqlite database, which several runs read and write at once. A row is the JSON of a
result, compressed, and a checksum of both its parts; one that is damaged is not there, and is found
again. Beyond its bound a store drops the rows that were not used for the longest time.
"""

import contextlib
import hashlib
import json
import os
import socket
import sqlite3
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

from attrs import define, field, fields, frozen

from specc import cache
from specc.ir import Study
from specc.ir.json import JsonFormError, from_json, to_json
from specc.records import Record
from specc.results import StudyResult
from specc.units import Bytes

NAME = "results.sqlite"
LARGEST: Bytes = 2 * 2**30
_DROPPED = 0.1  # of the bound, that is freed at once
_PATIENCE_S = 60.0  # for another run that writes
_LEVEL = 1  # of compression: the fastest
# What a study is, and how it is judged, is not stored: whoever asks has it.
_ASKED = ("study", "verdicts")

_TABLES = """
create table if not exists results (
    key text primary key,
    body blob not null,
    checksum blob not null,
    size integer not null,
    used integer not null
) without rowid;
create table if not exists claims (
    key text primary key,
    owner text not null,
    renewed real not null
) without rowid;
create table if not exists clock (id integer primary key check (id = 0), now integer not null);
insert or ignore into clock values (0, 0);
"""


class StoreError(Exception):
    """A store that cannot be used; says why."""


@frozen(eq=False, repr=False)
class StoreInfo(Record):
    """What a store holds: rows, their bytes, those of the file, and the bound."""

    path: str
    rows: int
    stored: Bytes
    file: Bytes
    largest: Bytes


@define(eq=False)
class Store:
    """A store in a folder."""

    path: Path
    largest: Bytes = LARGEST
    _connection: sqlite3.Connection | None = field(default=None, init=False)
    _claimed: int = field(default=0, init=False)
    _beat: threading.Thread | None = field(default=None, init=False)

    @classmethod
    def of(cls, folder: Path | None) -> "Store":
        """Return the store in a folder, or that of the user; it is opened when it is used.

        Raises:
            StoreError: there can be none.
        """
        place = folder or cache.folder()
        if place is None:
            raise StoreError("there is no cache folder of yours")
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError((error.strerror or str(error)).lower()) from None
        store = cls(place / NAME)
        store.connected()
        return store

    def connected(self) -> sqlite3.Connection:
        """Return the connection; it is made when it is first asked for.

        Raises:
            StoreError: the file cannot be opened, or is no store.
        """
        if self._connection is None:
            try:
                found = sqlite3.connect(self.path, timeout=_PATIENCE_S, isolation_level=None)
                found.execute("pragma journal_mode = wal")
                found.execute("pragma synchronous = normal")
                found.executescript(_TABLES)
            except sqlite3.Error as error:
                raise StoreError(str(error)) from None
            self._connection = found
        return self._connection

    def get(self, key: str, form: Any) -> tuple[bool, Any]:
        """Return whether there is a result, and the result. What is damaged is dropped."""
        with contextlib.suppress(sqlite3.Error):
            row = (
                self.connected()
                .execute("select body, checksum from results where key = ?", (key,))
                .fetchone()
            )
            if row is None:
                return False, None
            try:
                found = _read(key, row[0], row[1], form)
            except _DamagedError:
                self.connected().execute("delete from results where key = ?", (key,))
                return False, None
            self.connected().execute(
                "update results set used = (select now from clock) where key = ?", (key,)
            )
            return True, found
        return False, None

    def put(self, key: str, found: Any) -> None:
        """Keep a result; where it cannot be kept nothing but time is lost."""
        body = zlib.compress(json.dumps(_plain(found)).encode(), _LEVEL)
        with contextlib.suppress(sqlite3.Error):
            connection = self.connected()
            connection.execute("begin immediate")
            try:
                connection.execute("update clock set now = now + 1")
                connection.execute(
                    "insert or replace into results values (?, ?, ?, ?, (select now from clock))",
                    (key, body, _checksum(key, body), len(body)),
                )
                self._bound(connection)
            finally:
                connection.execute("commit")

    def _bound(self, connection: sqlite3.Connection) -> None:
        """Drop what was not used for the longest time, if there is more than the bound."""
        if self._stored(connection) <= self.largest:
            return
        rows = connection.execute("select key, size from results order by used, key")
        freed = 0
        dropped = []
        for key, size in rows:
            dropped.append((key,))
            freed += size
            if freed >= _DROPPED * self.largest:
                break
        connection.executemany("delete from results where key = ?", dropped)

    @staticmethod
    def _stored(connection: sqlite3.Connection) -> Bytes:
        """Return the bytes of the pages that hold something, without looking at the rows."""
        (pages,) = connection.execute("pragma page_count").fetchone()
        (free,) = connection.execute("pragma freelist_count").fetchone()
        (size,) = connection.execute("pragma page_size").fetchone()
        return int((pages - free) * size)

    def claim(self, keys: Sequence[str]) -> list[bool]:
        """Say of each key whether this run is the one that finds its result.

        The others are what another run that lives is at: it will store it.
        """
        now = time.time()
        with contextlib.suppress(sqlite3.Error):
            connection = self.connected()
            connection.execute("begin immediate")
            try:
                taken = []
                for key in keys:
                    row = connection.execute(
                        "select owner, renewed from claims where key = ?", (key,)
                    ).fetchone()
                    mine = row is None or row[0] == self._owner or not _lives(row[0], row[1], now)
                    if mine:
                        connection.execute(
                            "insert or replace into claims values (?, ?, ?)",
                            (key, self._owner, now),
                        )
                    taken.append(mine)
            finally:
                connection.execute("commit")
            self._claimed += sum(taken)
            self._keep_claims()
            return taken
        return [True] * len(keys)

    def release(self, keys: Sequence[str]) -> None:
        """Give up claims: their results are stored, or will not be found."""
        self._claimed = max(0, self._claimed - len(keys))
        with contextlib.suppress(sqlite3.Error):
            self.connected().executemany(
                "delete from claims where key = ? and owner = ?",
                [(key, self._owner) for key in keys],
            )

    @property
    def _owner(self) -> str:
        return f"{socket.gethostname()}:{os.getpid()}"

    def _keep_claims(self) -> None:
        """Begin to say, now and then, that this run lives."""
        if self._beat is None or not self._beat.is_alive():
            self._beat = threading.Thread(target=self._renew, daemon=True)
            self._beat.start()

    def _renew(self) -> None:
        while self._claimed:
            time.sleep(BEAT_S)
            with contextlib.suppress(sqlite3.Error):
                own = sqlite3.connect(self.path, timeout=_PATIENCE_S, isolation_level=None)
                own.execute(
                    "update claims set renewed = ? where owner = ?", (time.time(), self._owner)
                )
                own.close()

    def info(self) -> StoreInfo:
        """Return what there is.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            (rows,) = self.connected().execute("select count(*) from results").fetchone()
            stored = self._stored(self.connected())
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None
        files = (self.path.with_name(f"{self.path.name}{end}") for end in ("", "-wal", "-shm"))
        size = sum(file.stat().st_size for file in files if file.exists())
        return StoreInfo(str(self.path), rows, stored, size, self.largest)

    def clear(self) -> int:
        """Drop all results, and say how many there were.

        Raises:
            StoreError: they cannot be dropped.
        """
        try:
            dropped = self.connected().execute("delete from results").rowcount
            self.connected().execute("vacuum")
            self.connected().execute("pragma wal_checkpoint(truncate)")
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None
        return dropped

    def verify(self) -> tuple[int, int]:
        """Check all rows and drop those that are damaged; return how many there were, and those.

        Raises:
            StoreError: the file itself is damaged.
        """
        damaged = []
        rows = 0
        try:
            for key, body, checksum in self.connected().execute(
                "select key, body, checksum from results"
            ):
                rows += 1
                if _checksum(key, body) != checksum:
                    damaged.append((key,))
            self.connected().executemany("delete from results where key = ?", damaged)
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None
        return rows, len(damaged)


BEAT_S = 5.0  # between two signs of life of a run that has claims
_DEAD_S = 6 * BEAT_S  # without one, after which it has none


def _lives(owner: str, renewed: float, now: float) -> bool:
    """Say whether a run that made a claim lives: on this machine by its process."""
    host, _, pid = owner.rpartition(":")
    if host == socket.gethostname() and os.name == "posix":
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except (PermissionError, ValueError):
            pass
    return now - renewed < _DEAD_S


class _DamagedError(Exception):
    """A row that is not what was written."""


def _checksum(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + body).digest()


def _plain(found: Any) -> Any:
    """Return a result as plain data; a study without what it is."""
    if isinstance(found, StudyResult):
        names = (f.name for f in fields(StudyResult) if f.name not in _ASKED)
        return {name: to_json(getattr(found, name)) for name in names}
    return to_json(found)


def _read(key: str, body: bytes, checksum: bytes, form: Any) -> Any:
    if _checksum(key, body) != checksum:
        raise _DamagedError
    try:
        data = json.loads(zlib.decompress(body))
        if form is not StudyResult:
            return None if data is None else from_json(data, form)
        forms = get_type_hints(StudyResult)
        known = {name: from_json(value, forms[name]) for name, value in data.items()}
    except (zlib.error, ValueError, KeyError, JsonFormError):
        raise _DamagedError from None
    return PlainStudy(known)


@frozen(eq=False)
class PlainStudy:
    """What a store has of a study: all but the study and its verdicts."""

    found: dict[str, Any]

    def of(self, study: Study) -> StudyResult:
        """Return it as the result of a study."""
        return StudyResult(study=study, **self.found)
