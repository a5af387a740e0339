"""What was just made, read or decoded, kept for the calls that come next."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Things by name, up to a sum of bytes; the longest unused go first. Safe to use from several threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str) -> T | None:
        """The thing of this name, None where it isn't at hand."""
        with self._lock:
            found = self._kept.get(name)
            if found is None:
                return None
            self._kept.move_to_end(name)
            return found[0]

    def add(self, name: str, thing: T, size: int) -> None:
        """Keep a thing of so many bytes for a while."""
        with self._lock:
            if name in self._kept:
                return
            self._kept[name] = thing, size
            self._bytes += size
            while self._bytes > self._most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1][1]
