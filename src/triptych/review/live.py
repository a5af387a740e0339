"""A run as the page sees it: read once, then followed as facts come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from triptych.errors import RunError, TriptychError
from triptych.ledger.queries import scenes_called_since
from triptych.ledger.run import RunFolder
from triptych.mining.slots import Slot
from triptych.mining.state import Plan
from triptych.review.index import Index, Table
from triptych.review.people import People
from triptych.review.rows import rows_of
from triptych.review.scenes import SceneReader
from triptych.runs import recipe_of
from triptych.wiring import plan_of, role_configs

_LATE_SECONDS = 60  # a fact may be committed so long after its call ended
_SHOWN_EVERY = 2.0  # seconds: while a run is read for the first time, what there is by then

_Stamp = tuple[tuple[int, int], ...]


class LiveRun:
    """One open run. `table` is replaced, never changed: readers in other threads keep the one they hold."""

    def __init__(self, path: Path, overrides: Sequence[str] = ()) -> None:
        self.folder = RunFolder.existing(path)
        self.overrides = overrides
        self.writable = True
        try:
            self._written = self.folder.open_ledger()  # brings an older one to the newest format
        except RunError:  # it can still be looked at
            self.writable = False
            self._written = self.folder.open_ledger(read_only=True)
        self.ledger = self.folder.open_ledger(read_only=True)
        self.people = People(self._written)
        self.images = self.folder.image_store()
        self.plan = self._planned()
        self.sequence = 0
        self.read, self.to_read = 0, 0  # scenes, while the run is read for the first time
        self.trouble: str | None = None
        self.reader = SceneReader(self.plan, self.ledger, {}, {})
        self._index = Index(self.plan.recipe.rule.threshold)
        self._seen = 0.0
        self._stamp: _Stamp = ()
        self._recipe_stamp: _Stamp = ()

    @property
    def name(self) -> str:
        """What the run is called to people."""
        return self.folder.path.resolve().name

    @property
    def table(self) -> Table:
        """Everything known by now."""
        return self._index.table

    def close(self) -> None:
        """Let go of the ledger."""
        self.ledger.close()
        self._written.close()

    def refresh(self) -> bool:
        """Take in what is new; whether anything was."""
        stamp = _stamp(self.folder.ledger, self.folder.ledger.with_name("ledger.sqlite-wal"))
        recipe = _stamp(self.folder.recipe)
        if stamp == self._stamp and recipe == self._recipe_stamp:
            return False
        if recipe != self._recipe_stamp:
            self.plan = self._planned()
            self._index = Index(self.plan.recipe.rule.threshold)
            self._seen = 0.0
        changed, last = scenes_called_since(self.ledger, self._seen)
        self.reader = SceneReader.now(self.plan, self.ledger)
        there = set(self.reader.opened)
        wanted = (changed & there) | (there - self._index.scenes)
        self._take_in(self.reader.read(wanted), len(wanted))
        self._stamp, self._recipe_stamp = stamp, recipe
        self._seen = max(self._seen, last - _LATE_SECONDS)
        self.people.read()
        self.sequence += 1
        return True

    def _take_in(self, slots: Iterable[Slot], count: int) -> None:
        self.read, self.to_read = 0, count
        due = time.monotonic() + _SHOWN_EVERY
        for slot in slots:
            if slot.state is not None:
                self._index.put(slot.state.scene.id, slot.ordinal, rows_of(self.plan, slot))
            self.read += 1
            if time.monotonic() > due:
                began = time.monotonic()
                self._index.publish()
                self.sequence += 1
                due = time.monotonic() + max(_SHOWN_EVERY, 10 * (time.monotonic() - began))
        self._index.publish()
        self.to_read = 0

    def _planned(self) -> Plan:
        recipe = recipe_of(self.folder, self.overrides)
        return plan_of(recipe, role_configs(recipe, self.folder.path))


class Watcher:
    """Follows runs from a thread of its own."""

    def __init__(self, runs: Sequence[LiveRun], every: float = 1.0) -> None:
        self._runs = runs
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="review", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End after the scene at hand."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            for run in self._runs:
                began = time.monotonic()
                try:
                    run.refresh()
                    run.trouble = None
                except (TriptychError, SQLAlchemyError) as error:
                    run.trouble = " ".join(str(error).split())  # the page shows it; the next look may mend it
                # A run that takes long to look at is looked at less often.
                self._stopped.wait(max(self._every, 4 * (time.monotonic() - began)) / len(self._runs))


def _stamp(*paths: Path) -> _Stamp:
    stamps = []
    for path in paths:
        with suppress(OSError):
            stat = path.stat()
            stamps.append((stat.st_mtime_ns, stat.st_size))
    return tuple(stamps)
