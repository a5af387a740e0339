"""The world store: what only the studio knows. A SQLite file apart from the ledger, shared by many processes.

Writer, Painter and Editor write it before they return; only they and the truth report read it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from triptych.backends.studio.edits import EditPlan
from triptych.backends.studio.layout import Size
from triptych.backends.studio.prompts import Description, Wish
from triptych.backends.studio.scene import Scene, Thing
from triptych.backends.studio.truth import SourceTruth, Truth

FILE_NAME = "world.sqlite"
BUSY_SECONDS = 60.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS wishes (prompt TEXT PRIMARY KEY, wish TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plans (instruction TEXT PRIMARY KEY, plan TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inverses (
    prompt TEXT, instruction TEXT, inverse TEXT NOT NULL, PRIMARY KEY (prompt, instruction)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (image TEXT PRIMARY KEY, picture TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
    source TEXT, instruction TEXT, edited TEXT, truth TEXT NOT NULL,
    PRIMARY KEY (source, instruction, edited)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attempts_by_edited ON attempts (edited);
"""


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """What the studio knows of a picture it made. `faithful`: rendering the scene gives its very pixels."""

    scene: Scene
    faithful: bool
    prompt: str | None = None  # None: an edited picture
    truth: SourceTruth | None = None
    size: Size | None = None  # px; None: written before sizes were kept


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """How an edited picture came about."""

    source: str  # hash
    instruction: str
    truth: Truth


class WorldStore:
    """The world store of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                if not path.exists():
                    _create(path)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as connection, connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection

    def add_scene(
        self, prompt: str, wish: Wish, plans: Mapping[str, EditPlan], inverses: Mapping[str, str]
    ) -> None:
        """A prompt, its instructions, and the inverse of each (whose plans are among `plans`)."""
        with self._open() as connection:
            connection.execute("INSERT OR REPLACE INTO wishes VALUES (?, ?)", (prompt, _text(wish)))
            connection.executemany(
                "INSERT OR REPLACE INTO inverses VALUES (?, ?, ?)",
                [(prompt, instruction, inverse) for instruction, inverse in inverses.items()],
            )
            self._add_plans(connection, plans)

    def add_plans(self, plans: Mapping[str, EditPlan]) -> None:
        """Instructions that belong to no written scene."""
        with self._open() as connection:
            self._add_plans(connection, plans)

    def add_derived_plans(self, plans: Mapping[str, EditPlan]) -> None:
        """Instructions made of others; a text that is known already keeps its meaning."""
        with self._open() as connection:
            rows = [(instruction, _text(plan)) for instruction, plan in plans.items()]
            connection.executemany("INSERT OR IGNORE INTO plans VALUES (?, ?)", rows)

    @staticmethod
    def _add_plans(connection: sqlite3.Connection, plans: Mapping[str, EditPlan]) -> None:
        rows = [(instruction, _text(plan)) for instruction, plan in plans.items()]
        connection.executemany("INSERT OR REPLACE INTO plans VALUES (?, ?)", rows)

    def add_picture(self, image: str, known: KnownPicture) -> None:
        """A picture under its hash."""
        with self._open() as connection:
            connection.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?)", (image, _text(known)))

    def add_attempt(
        self, source: str, instruction: str, edited: str, truth: Truth, known: KnownPicture | None
    ) -> None:
        """An attempt's truth and, unless it shows a photograph, what the edited picture shows."""
        with self._open() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?)",
                (source, instruction, edited, _text(truth)),
            )
            if known is not None:
                connection.execute("INSERT OR IGNORE INTO pictures VALUES (?, ?)", (edited, _text(known)))

    def wish(self, prompt: str) -> Wish | None:
        """What a prompt asks for."""
        found = self._one("SELECT wish FROM wishes WHERE prompt = ?", prompt)
        return None if found is None else _wish(found)

    def plan(self, instruction: str) -> EditPlan | None:
        """What an instruction asks for."""
        found = self._one("SELECT plan FROM plans WHERE instruction = ?", instruction)
        return None if found is None else _plan(found)

    def inverse(self, prompt: str, instruction: str) -> str | None:
        """The instruction that leads from the edited picture to the one of the prompt."""
        with self._open() as connection:
            row = connection.execute(
                "SELECT inverse FROM inverses WHERE prompt = ? AND instruction = ?", (prompt, instruction)
            ).fetchone()
        return None if row is None else str(row[0])

    def picture(self, image: str) -> KnownPicture | None:
        """What a picture shows; None for a photograph."""
        found = self._one("SELECT picture FROM pictures WHERE image = ?", image)
        if found is None:
            return None
        truth = found["truth"]
        return KnownPicture(
            _scene(found["scene"]),
            found["faithful"],
            found["prompt"],
            None if truth is None else replace(SourceTruth(**truth), flaws=_flaws(truth)),
            None if found.get("size") is None else (found["size"][0], found["size"][1]),
        )

    def attempt_behind(self, edited: str) -> KnownAttempt | None:
        """The attempt that an edited picture came from; None: it came from none."""
        with self._open() as connection:
            row = connection.execute(
                "SELECT source, instruction, truth FROM attempts WHERE edited = ? "
                "ORDER BY source, instruction LIMIT 1",
                (edited,),
            ).fetchone()
        if row is None:
            return None
        found = orjson.loads(row[2])
        return KnownAttempt(row[0], row[1], replace(Truth(**found), flaws=_flaws(found)))

    def source_truth(self, image: str) -> SourceTruth | None:
        """What is true of a painted source; None for what isn't one."""
        known = self.picture(image)
        return None if known is None else known.truth

    def truth_of(self, source: str, instruction: str, edited: str) -> Truth | None:
        """What is true of an attempt, by the hashes of its pictures."""
        found = self._one(
            "SELECT truth FROM attempts WHERE source = ? AND instruction = ? AND edited = ?",
            source,
            instruction,
            edited,
        )
        return None if found is None else replace(Truth(**found), flaws=_flaws(found))

    def absorb(self, other: Path) -> None:
        """Take in what another run's store knows; what is known already stays as it is."""
        with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("ATTACH DATABASE ? AS other", (str(other),))
            connection.execute("BEGIN IMMEDIATE")
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                connection.execute(f"INSERT OR IGNORE INTO {table} SELECT * FROM other.{table}")  # noqa: S608
            connection.execute("COMMIT")

    def _one(self, query: str, *values: str) -> Any:
        with self._open() as connection:
            row = connection.execute(query, values).fetchone()
        return None if row is None else orjson.loads(row[0])


def _create(path: Path) -> None:
    """Made aside and then renamed: no other process ever meets a store without its tables."""
    aside = path.with_name(f"{path.name}.new")
    aside.unlink(missing_ok=True)
    with closing(sqlite3.connect(aside)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)
    aside.replace(path)


def _text(record: Any) -> str:
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode()


def _flaws(row: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    return tuple((kind, strength) for kind, strength in row["flaws"])


def _wish(row: dict[str, Any]) -> Wish:
    things = tuple(Description(**thing) for thing in row.pop("things"))
    return Wish(**row, things=things)


def _scene(row: dict[str, Any]) -> Scene:
    things = tuple(Thing(**thing) for thing in row.pop("things"))
    return Scene(**row, things=things)


def _plan(row: dict[str, Any]) -> EditPlan:
    target, thing = row["target"], row["thing"]
    return EditPlan(
        row["operation"],
        None if target is None else Description(**target),
        None if thing is None else Description(**thing),
        row["value"],
        tuple(_plan(part) for part in row["parts"]),
        row.get("leaving"),
    )
