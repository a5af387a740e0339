"""Pictures for the page: the stored bytes, and small ones made once and kept in the run's cache.

A picture is asked for by its hash alone. It has to lie in the run's own folder, links followed, and its bytes
have to hash to its name; so nothing else can be had.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from triptych.datasets.gallery.thumbnails import thumbnail
from triptych.errors import MissingImage
from triptych.ledger.images import ImageStore
from triptych.ledger.run import RunFolder
from triptych.pixels.picture import Picture, refuse_if_too_large

_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of one run."""

    store: ImageStore
    cache: Path

    def full(self, image: str) -> bytes:
        """Stored bytes. MissingImage where the name is no hash, or leads out of the run, or isn't there."""
        if not _HASH.fullmatch(image):
            raise MissingImage(image, "no such picture")
        inside = self.store.folder.resolve()
        if not self.store.path(image).resolve().is_relative_to(inside):
            raise MissingImage(image, "no such picture")
        return self.store.get(image)

    def small(self, image: str) -> bytes:
        """A JPEG of at most 360 pixels a side. PictureError where the picture is unreadable or too large."""
        if not _HASH.fullmatch(image):
            raise MissingImage(image, "no such picture")
        file = self.cache / image[:2] / f"{image}.jpg"
        with suppress(OSError):
            if file.resolve().is_relative_to(self.cache.resolve()):
                return file.read_bytes()
        data = self.full(image)
        header = Picture.from_encoded(data)
        refuse_if_too_large(header.width, header.height)
        made = thumbnail(data)
        with suppress(OSError):  # in a read-only folder it is made each time
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f"{uuid4().hex}.part")
            part.write_bytes(made)
            part.replace(file)
        return made


def pictures_of(store: ImageStore, folder: RunFolder) -> Pictures:
    """Pictures of a run, the small ones kept in its folder beside the stored ones."""
    return Pictures(store, folder.path / ".cache" / "thumbnails")
