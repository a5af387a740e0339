"""What an adapter gives: pairs with their pictures still encoded, and rows that gave none, by reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One pair of somebody's data set, its pictures as its files hold them."""

    name: str  # where it stands, for people: file and row
    source: bytes
    instruction: str
    edited: bytes
    category: str | None  # None: the data set names none


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row, or a whole file, that gave no pair."""

    name: str
    reason: str  # short and stable: skipped rows are counted by it


class Unusable(Exception):
    """A row gives no pair. `reason` is a short stable name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
