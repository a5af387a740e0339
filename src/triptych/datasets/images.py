"""Where an export gets its pictures: one run's store or several, marked as generated or untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from triptych.datasets.marking import marked, marked_pieces
from triptych.errors import MissingImage


class Images(Protocol):
    """Pictures by their name in the ledger; an `ImageStore` is one."""

    def get(self, image: str) -> bytes:
        """The file to publish. MissingImage where there is none, DamagedImage where it has changed."""

    def path(self, image: str) -> Path:
        """Where the original lies. MissingImage where there is none."""


@dataclass(frozen=True, slots=True)
class SeveralStores:
    """The stores of several runs: the first that has a picture gives it."""

    stores: Sequence[Images]

    def get(self, image: str) -> bytes:
        """As `Images`; a copy that is missing or damaged in one run is looked for in the next."""
        failure: MissingImage | None = None
        for store in self.stores:
            try:
                return store.get(image)
            except MissingImage as error:
                failure = failure or error
        assert failure is not None  # noqa: S101  (there is at least one store)
        raise failure

    def path(self, image: str) -> Path:
        """As `Images`."""
        failure: MissingImage | None = None
        for store in self.stores:
            try:
                return store.path(image)
            except MissingImage as error:
                failure = failure or error
        assert failure is not None  # noqa: S101  (there is at least one store)
        raise failure


@dataclass(frozen=True, slots=True)
class MarkedImages:
    """Every picture but photographs carries the mark of generated media."""

    store: Images
    photographs: frozenset[str]

    def get(self, image: str) -> bytes:
        """As `Images`."""
        data = self.store.get(image)
        return data if image in self.photographs else marked(data)

    def path(self, image: str) -> Path:
        """As `Images`."""
        return self.store.path(image)


def pieces(images: Images, image: str, original: memoryview) -> list[memoryview]:
    """What to publish for the stored file of an image, without a copy of it."""
    if isinstance(images, MarkedImages):
        return [original] if image in images.photographs else marked_pieces(original)
    return [original]


def read_pieces(images: Images, image: str) -> list[memoryview]:
    """What to publish of an image, in pieces. That it is whole is left to the check of what is written."""
    path = images.path(image)
    try:
        return pieces(images, image, memoryview(path.read_bytes()))
    except FileNotFoundError:
        raise MissingImage(image, f"{path} has gone: `triptych mine` makes it again") from None


def read_published(images: Images, image: str) -> bytes:
    """As `read_pieces`, in one."""
    return b"".join(read_pieces(images, image))
