"""Counters of a run, kept until its facts change: a large run is counted once for each rule, not each time.

A cache and nothing more: it can be removed at any moment, and `verify` counts anew and compares.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from triptych.ledger.run import RunFolder
from triptych.mining.state import Plan
from triptych.wiring import plan_key

_MOST_RULES = 32
Stamp = list[list[int]]


class Counters:
    """The kept counters of one run under one plan: its recipe, rule and back ends."""

    def __init__(self, folder: RunFolder, plan: Plan) -> None:
        self._folder = folder
        self._key = plan_key(plan)

    def stamp(self) -> Stamp:
        """What changes when facts come: size and time of the ledger's files."""
        ledger = self._folder.ledger
        files = (ledger, ledger.with_name(f"{ledger.name}-wal"))
        found = [file.stat() for file in files if file.exists()]
        return [[each.st_size, each.st_mtime_ns] for each in found if each.st_size]

    def read(self) -> dict[str, Any] | None:
        """The counters, if no fact has come since they were kept."""
        kept = self._kept()
        told: dict[str, Any] | None = kept["by_rule"].get(self._key)
        return told if kept["stamp"] == self.stamp() else None

    def keep(self, told: dict[str, Any], counted_at: Stamp) -> None:
        """Keep what was counted when the ledger was as this stamp says, if it still is."""
        if counted_at != self.stamp():
            return
        kept = self._kept()
        others = kept["by_rule"] if kept["stamp"] == counted_at else {}
        by_rule = dict([*others.items(), (self._key, told)][-_MOST_RULES:])
        part = self._file.with_suffix(".part")
        with suppress(OSError):  # only a saving for the next time
            part.write_bytes(orjson.dumps({"stamp": counted_at, "by_rule": by_rule}))
            part.replace(self._file)

    def forget(self) -> None:
        """Remove what is kept."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self._folder.path / ".counters.json"

    def _kept(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = orjson.loads(self._file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {"stamp": None, "by_rule": {}}
        return kept
