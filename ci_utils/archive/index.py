"""What every local archive holds and what is being built: one SQLite file.

Transactions are short and never span a file operation that can fail for the
network; the stanzas that apt reads are kept here ready to be written out.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TypeVar

from ci_utils.archive.port import Build, BuildState
from ci_utils.disk_space import DISK_FULL, says_full
from ci_utils.errors import Unavailable

Row = TypeVar("Row")

#: How long one waits for another who writes: as long as a busy disk may stall.
PATIENCE_SECONDS = 120

_SCHEMA = """
CREATE TABLE IF NOT EXISTS source (
    archive TEXT, name TEXT, version TEXT, dsc_sha256 TEXT, files TEXT, needs TEXT, provides TEXT,
    stanza TEXT, PRIMARY KEY (archive, name, version));
CREATE TABLE IF NOT EXISTS binary (
    archive TEXT, source TEXT, source_version TEXT, name TEXT, version TEXT, architecture TEXT,
    filename TEXT, stanza TEXT, PRIMARY KEY (archive, name, version, architecture));
CREATE TABLE IF NOT EXISTS seen (
    archive TEXT, name TEXT, version TEXT, dsc_sha256 TEXT DEFAULT '', PRIMARY KEY (archive, name, version));
CREATE TABLE IF NOT EXISTS build (
    id TEXT PRIMARY KEY, archive TEXT, source TEXT, version TEXT, architecture TEXT, state TEXT,
    reason TEXT, cancelled INTEGER, ready_at REAL);
"""
_FORGET_ORPHANS = (
    "DELETE FROM build WHERE NOT EXISTS (SELECT 1 FROM source AS s "
    "WHERE s.archive=build.archive AND s.name=build.source AND s.version=build.version)"
)


@dataclass(frozen=True)
class SourceRow:
    """A source in an archive; `files`, `needs` (build dependencies) and `provides` one a line."""

    archive: str
    name: str
    version: str
    dsc_sha256: str
    files: str
    needs: str
    provides: str
    stanza: str

    @property
    def dsc(self) -> str:
        """The file name of its .dsc in the archive's directory."""
        return next(name for name in self.files.splitlines() if name.endswith(".dsc"))


@dataclass(frozen=True)
class BinaryRow:
    """A binary package in an archive."""

    archive: str
    source: str
    source_version: str
    name: str
    version: str
    architecture: str
    filename: str
    stanza: str


@dataclass(frozen=True)
class BuildRow:
    """A build record; it may start at `ready_at` (seconds since the epoch)."""

    id: str
    archive: str
    source: str
    version: str
    architecture: str
    state: str
    reason: str = ""
    cancelled: int = 0
    ready_at: float = 0.0

    def as_build(self) -> Build:
        """As the port shows it."""
        return Build(
            self.id, self.source, self.version, self.architecture, BuildState(self.state), self.reason
        )


class ArchiveIndex:
    """The index of all archives below one directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.with_suffix(".lock").open("w") as lock:
            # Two processes that make a new file's journal at once do not wait for each other by themselves.
            fcntl.flock(lock, fcntl.LOCK_EX)
            with _answering(), closing(self._connect()) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(_SCHEMA)
                _remember_contents(connection)

    def sources(self, archive: str) -> list[SourceRow]:
        """All sources of an archive by name."""
        return _read(self._query("SELECT * FROM source WHERE archive=? ORDER BY name", archive), SourceRow)

    def versions(self, archive: str, names: Collection[str]) -> dict[str, str]:
        """The versions of those of these sources that the archive has, however many others it has."""
        marks = ",".join("?" * len(names))
        query = f"SELECT name, version FROM source WHERE archive=? AND name IN ({marks})"  # noqa: S608
        return {row[0]: row[1] for row in self._query(query, archive, *names)}

    def source(self, archive: str, name: str, version: str) -> SourceRow | None:
        """One source, if the archive has it."""
        rows = self._query(
            "SELECT * FROM source WHERE archive=? AND name=? AND version=?", archive, name, version
        )
        return next(iter(_read(rows, SourceRow)), None)

    def binaries(self, archive: str) -> list[BinaryRow]:
        """All binary packages of an archive by name."""
        return _read(self._query("SELECT * FROM binary WHERE archive=? ORDER BY name", archive), BinaryRow)

    def files(self, archive: str) -> set[str]:
        """Every file that the archive publishes, relative to its directory."""
        names = {binary.filename for binary in self.binaries(archive)}
        return names.union(*(source.files.splitlines() for source in self.sources(archive)))

    def versions_seen(self, archive: str, name: str) -> dict[str, str]:
        """Versions of a source that the archive ever took, cleaned away or not: the .dsc's SHA-256 of each.

        That is empty where an older engine has not kept it.
        """
        query = "SELECT version, dsc_sha256 FROM seen WHERE archive=? AND name=?"
        return {row[0]: row[1] for row in self._query(query, archive, name)}

    def add(
        self,
        archive: str,
        sources: Iterable[SourceRow],
        binaries: Iterable[BinaryRow] = (),
        builds: Iterable[BuildRow] = (),
    ) -> None:
        """Take these into the archive in one step; other versions of the sources leave it."""
        with self._transaction() as db:
            for source in sources:
                _drop(db, archive, source.name)
                _insert(db, "source", source)
                db.execute(
                    "INSERT OR REPLACE INTO seen (archive, name, version, dsc_sha256) VALUES (?,?,?,?)",
                    (archive, source.name, source.version, source.dsc_sha256),
                )
            for row in binaries:
                _insert(db, "binary", row)
            for build in builds:
                _insert(db, "build", build)
                # Something new may be what others in the archive wait for.
                db.execute(
                    "UPDATE build SET state=?, reason='', ready_at=? WHERE archive=? AND state=?",
                    (BuildState.NEEDS_BUILD.value, build.ready_at, archive, BuildState.DEPENDENCY_WAIT.value),
                )

    def add_binaries(self, build: BuildRow, binaries: Sequence[BinaryRow]) -> bool:
        """Take what a build made into its archive; False if it was cancelled or its source has left."""
        with self._transaction() as db:
            wanted = db.execute("SELECT 1 FROM build WHERE id=? AND cancelled=0", (build.id,)).fetchone()
            for row in binaries if wanted else ():
                _insert(db, "binary", row)
        return wanted is not None

    def forget_binaries(self, archive: str, source: str) -> bool:
        """Remove what an interrupted build of a source left; whether there was anything."""
        with self._transaction() as db:
            gone = db.execute("DELETE FROM binary WHERE archive=? AND source=?", (archive, source))
        return gone.rowcount > 0

    def builds(self, archive: str) -> list[BuildRow]:
        """All build records of an archive."""
        rows = self._query("SELECT * FROM build WHERE archive=? ORDER BY source, architecture", archive)
        return _read(rows, BuildRow)

    def unfinished_builds(self) -> list[BuildRow]:
        """Builds of all archives that have not ended, oldest first."""
        open_states = [state.value for state in BuildState if not state.ended]
        marks = ",".join("?" * len(open_states))
        query = f"SELECT * FROM build WHERE state IN ({marks}) ORDER BY ready_at, source"  # noqa: S608
        return _read(self._query(query, *open_states), BuildRow)

    def move_build(self, build_id: str, old: BuildState, new: BuildState, reason: str = "") -> bool:
        """Change a build's state if it is still `old`; whether it was."""
        with self._transaction() as db:
            return _move(db, build_id, old, new, reason)

    def give_up(self, archive: str, reasons: Mapping[str, str]) -> None:
        """End builds that lack what nobody can bring, each with its reason, unless others have come in."""
        with self._transaction() as db:
            rows = db.execute("SELECT id, state FROM build WHERE archive=?", (archive,))
            if {row[0] for row in rows if not BuildState(row[1]).ended} <= reasons.keys():
                for build_id, reason in reasons.items():
                    _move(db, build_id, BuildState.NEEDS_BUILD, BuildState.DEPENDENCY_WAIT, reason)

    def is_cancelled(self, build_id: str) -> bool:
        """Whether a running build was asked to stop, or its record is gone."""
        rows = self._query("SELECT cancelled FROM build WHERE id=?", build_id)
        return not rows or bool(rows[0][0])

    def cancel_builds(self, archive: str) -> None:
        """End what is queued and ask what is running to stop."""
        with self._transaction() as db:
            db.execute(
                "UPDATE build SET state=?, reason='the build was cancelled' WHERE archive=? AND state=?",
                (BuildState.CANCELLED.value, archive, BuildState.NEEDS_BUILD.value),
            )
            db.execute(
                "UPDATE build SET cancelled=1 WHERE archive=? AND state IN (?,?)",
                (archive, BuildState.BUILDING.value, BuildState.UPLOADING.value),
            )

    def requeue_interrupted(self) -> None:
        """Queue again what was running when an engine died."""
        with self._transaction() as db:
            running = (BuildState.BUILDING.value, BuildState.UPLOADING.value)
            db.execute(
                "UPDATE build SET state=?, reason='the build was cancelled' "
                "WHERE cancelled=1 AND state IN (?,?)",
                (BuildState.CANCELLED.value, *running),
            )
            db.execute(_FORGET_ORPHANS)
            db.execute(
                "UPDATE build SET state=?, ready_at=? WHERE state IN (?,?)",
                (BuildState.NEEDS_BUILD.value, time.time(), *running),
            )

    def empty(self, archive: str) -> None:
        """Remove all packages and the ended builds; `forget_orphans` does so for others that ended."""
        with self._transaction() as db:
            db.execute("DELETE FROM source WHERE archive=?", (archive,))
            db.execute("DELETE FROM binary WHERE archive=?", (archive,))
            running = (BuildState.BUILDING.value, BuildState.UPLOADING.value)
            db.execute("DELETE FROM build WHERE archive=? AND state NOT IN (?,?)", (archive, *running))

    def forget_orphans(self, archive: str) -> None:
        """Remove the records of builds whose source has left the archive, but for running ones."""
        with self._transaction() as db:
            running = (BuildState.BUILDING.value, BuildState.UPLOADING.value)
            db.execute(f"{_FORGET_ORPHANS} AND archive=? AND state NOT IN (?,?)", (archive, *running))

    def build_ids(self) -> set[str]:
        """Of all build records there are."""
        return {row[0] for row in self._query("SELECT id FROM build")}

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=PATIENCE_SECONDS, isolation_level=None)

    def _query(self, query: str, *values: str) -> list[tuple[str, ...]]:
        with _answering(), closing(self._connect()) as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _answering(), closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:  # a full disk ends it
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


@contextmanager
def _answering() -> Iterator[None]:
    """Say in a sentence that a file of the index cannot be read or written now."""
    try:
        yield
    except sqlite3.OperationalError as error:
        why = DISK_FULL if says_full(error) else "the index of the archives does not answer now; try again"
        raise Unavailable(why) from error


def _remember_contents(db: sqlite3.Connection) -> None:
    """Bring the index of an older engine, which kept only versions, to this form."""
    if "dsc_sha256" not in {column[1] for column in db.execute("PRAGMA table_info(seen)")}:
        db.execute("ALTER TABLE seen ADD COLUMN dsc_sha256 TEXT DEFAULT ''")


def _read(rows: Iterable[tuple[str, ...]], row: type[Row]) -> list[Row]:
    return [row(*values) for values in rows]


def _insert(db: sqlite3.Connection, table: str, row: SourceRow | BinaryRow | BuildRow) -> None:
    marks = ",".join("?" * len(fields(row)))
    db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", astuple(row))  # noqa: S608


def _drop(db: sqlite3.Connection, archive: str, source: str) -> None:
    db.execute("DELETE FROM source WHERE archive=? AND name=?", (archive, source))
    db.execute("DELETE FROM binary WHERE archive=? AND source=?", (archive, source))
    db.execute("DELETE FROM build WHERE archive=? AND source=?", (archive, source))


def _move(db: sqlite3.Connection, build_id: str, old: BuildState, new: BuildState, reason: str = "") -> bool:
    changed = db.execute(
        "UPDATE build SET state=?, reason=? WHERE id=? AND state=?", (new.value, reason, build_id, old.value)
    )
    return changed.rowcount == 1
