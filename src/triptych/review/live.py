"""A run as the page sees it: read once, then followed as facts come."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from triptych.errors import RunError, TriptychError
from triptych.ledger.queries import calls_by_scene, doubts_of
from triptych.ledger.run import RunFolder
from triptych.mining.state import Plan
from triptych.review.index import Index, Table
from triptych.review.kept import Kept, KeptRows
from triptych.review.people import People
from triptych.review.rows import rows_of
from triptych.review.scenes import SceneReader
from triptych.runs import recipe_of
from triptych.wiring import plan_of, role_configs

_LATE_SECONDS = 60  # a fact may be committed so long after the last call of its scene ended
_KEPT_EVERY = 500  # scenes read
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
        self.leaving = False  # stop reading at the next scene
        self._doubts = 0  # that all rows know of
        self._begin()
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
        """Keep what was read, and let go of the ledger."""
        self._keep(at_least=1)
        self.ledger.close()
        self._written.close()

    def refresh(self) -> bool:
        """Take in what is new; whether anything was."""
        stamp = _stamp(self.folder.ledger, self.folder.ledger.with_name("ledger.sqlite-wal"))
        recipe = _stamp(self.folder.recipe)
        if stamp == self._stamp and recipe == self._recipe_stamp:
            return False
        if recipe != self._recipe_stamp and self._recipe_stamp:
            self.plan = self._planned()
            self._begin()
        if (doubts := doubts_of(self.ledger)) != self._doubts:  # they may change any row
            self._begin(kept=False)
        called = calls_by_scene(
            self.ledger
        )  # before the facts are read: what comes meanwhile is read next time
        self.reader = SceneReader.now(self.plan, self.ledger)
        self._doubts = doubts
        self._take_in(called)
        if not self.leaving:
            self._stamp, self._recipe_stamp = stamp, recipe
        self.people.read()
        self.sequence += 1
        self._keep(at_least=max(_KEPT_EVERY, len(self._marks) // 4))
        return True

    def _begin(self, *, kept: bool = True) -> None:
        """Hold nothing but, maybe, what an earlier look kept of the facts under this plan."""
        self._index = Index(self.plan.recipe.rule)
        self._kept = KeptRows(self.folder, self.plan)
        known = self._kept.read() if kept else Kept({}, {}, 0)
        self._waiting = dict(known.rows)
        self._marks, self._doubts = dict(known.marks), known.doubts
        self._late: set[str] = set()
        self._unkept = 0

    def _take_in(self, called: Mapping[str, tuple[int, float]]) -> None:
        marks = Counter({scene: count for scene, (count, _) in called.items()})
        marks.update(brief.scene_id for brief in self.reader.known.values())
        there = self.reader.opened
        stale = {id_ for id_ in there if self._marks.get(id_) != marks[id_]} | (self._late & there.keys())
        newest = max((ended for _, ended in called.values()), default=0.0)
        since = max(newest, time.time()) - _LATE_SECONDS
        self._late = {id_ for id_, (_, ended) in called.items() if ended >= since}
        waiting = [id_ for id_ in self._waiting if id_ in there and id_ not in stale]
        self._index.put_all([(id_, there[id_].ordinal, self._waiting[id_]) for id_ in waiting])
        self._waiting = {}
        self.read, self.to_read = 0, len(stale)
        due = time.monotonic() + _SHOWN_EVERY
        for slot in self.reader.read(stale):
            id_ = self.reader.known[slot.opening.id].scene_id
            if slot.state is not None:
                self._index.put(id_, slot.ordinal, rows_of(self.plan, slot))
            self._marks[id_] = marks[id_]
            self._unkept += 1
            self.read += 1
            if self.leaving:
                break
            if time.monotonic() > due:
                began = time.monotonic()
                self._index.publish()
                self.sequence += 1
                due = time.monotonic() + max(_SHOWN_EVERY, 10 * (time.monotonic() - began))
        self._index.publish()
        self.to_read = 0

    def _keep(self, *, at_least: int) -> None:
        """Keep what was read for the next start, if so many scenes were read since."""
        if self._unkept < at_least:
            return
        self._unkept = 0
        scenes = [(id_, mark, self._index.rows(id_)) for id_, mark in self._marks.items()]
        settled = [
            (id_, mark, rows) for id_, mark, rows in scenes if rows is not None and id_ not in self._late
        ]
        self._kept.keep(settled, self._doubts)

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
        for run in self._runs:
            run.leaving = True
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
