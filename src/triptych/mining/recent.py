"""Encoded images that were just written or read, kept for the calls that come next."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock


class RecentImages:
    """Bytes of images by name, up to a sum; the longest unused go first. Safe to use from several threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._images: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, image: str) -> bytes | None:
        """Bytes of an image, None where they are not at hand."""
        with self._lock:
            data = self._images.get(image)
            if data is not None:
                self._images.move_to_end(image)
            return data

    def add(self, image: str, data: bytes) -> None:
        """Keep an image's bytes for a while."""
        with self._lock:
            if image in self._images:
                return
            self._images[image] = data
            self._bytes += len(data)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._images.popitem(last=False)[1])
