"""Images as files named by the hash of their bytes: written once, never changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import BinaryIO, Literal
from uuid import uuid4

from triptych.errors import DamagedImage, MissingImage, WorkFailed
from triptych.records import hash_bytes

ImageState = Literal["ok", "missing", "damaged"]

_PNG_MAGIC = b"\x89PNG"
_SUFFIXES = (".jpg", ".png")  # a run stores JPEG unless it is told otherwise: found by the first stat


@dataclass(frozen=True, slots=True)
class ImageStore:
    """A folder of images: `ab/abcd….jpg`. Cheap to make and to pickle; any number of processes may use it."""

    folder: Path
    durable: bool = False  # outlives a power cut, at one or two fsyncs an image

    def put(self, data: bytes) -> str:
        """Store an encoded image and return its hash. WorkFailed, and nothing half-written, where that fails.

        One that is there already isn't written again, unless its file is damaged.
        """
        name = hash_bytes(data)
        suffix = ".png" if data.startswith(_PNG_MAGIC) else ".jpg"
        path = f"{self.folder}/{name[:2]}/{name}{suffix}"  # a `Path` costs as much as writing a small file
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                stored = file.read()
        except OSError:  # absent, or no file: writing it says what is wrong
            stored = None
        if stored != data:
            self._write(path, data)
        return name

    def get(self, image: str) -> bytes:
        """Bytes of an image. MissingImage where it isn't stored, DamagedImage where it has changed."""
        for suffix in _SUFFIXES:
            try:
                data = self._path(image, suffix).read_bytes()
                break
            except FileNotFoundError:
                continue
            except OSError as error:
                raise DamagedImage(image, f"image {image} can't be read ({error.strerror})") from error
        else:
            raise self._missing(image)
        if hash_bytes(data) != image:
            raise DamagedImage(image, f"image {image} is damaged: `triptych mine` makes it again")
        return data

    def path(self, image: str) -> Path:
        """File of an image. MissingImage where there is none."""
        for suffix in _SUFFIXES:
            path = self._path(image, suffix)
            if path.exists():
                return path
        raise self._missing(image)

    def exists(self, image: str) -> bool:
        """Whether there is a file for this image, whole or not."""
        return any(self._path(image, suffix).exists() for suffix in _SUFFIXES)

    def touched_ns(self, image: str) -> int | None:
        """When the file of an image was last written, moved or restored, in ns; None where there is none."""
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                found = self._path(image, suffix).stat()
                return max(found.st_mtime_ns, found.st_ctime_ns)
        return None

    def check(self, image: str) -> ImageState:
        """Whether an image is stored and hashes to its name."""
        try:
            self.get(image)
        except DamagedImage:
            return "damaged"
        except MissingImage:
            return "missing"
        return "ok"

    def drop(self, images: Iterable[str]) -> None:
        """Remove pictures on purpose; it is noted first, so that nobody takes them for lost."""
        for image in self.note_dropped(images):
            for suffix in _SUFFIXES:
                self._path(image, suffix).unlink(missing_ok=True)

    def note_dropped(self, images: Iterable[str]) -> list[str]:
        """Note that these pictures are gone on purpose, here or where they were; gives them in order."""
        names = sorted(images)
        if names:
            with self._dropped_file.open("a", encoding="ascii") as file:
                file.writelines(f"{name}\n" for name in names)
        return names

    def dropped(self) -> frozenset[str]:
        """Pictures that were removed on purpose and haven't been made again since."""
        try:
            lines = self._dropped_file.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return frozenset()
        return frozenset(name for name in lines if not self.exists(name))

    @property
    def _dropped_file(self) -> Path:
        return self.folder / ".dropped"

    def sweep(self) -> None:
        """Remove what a killed process left half-written. Only while nobody writes here."""
        for path in self.folder.glob("[0-9a-f][0-9a-f]/*.part"):
            path.unlink(missing_ok=True)

    def _path(self, image: str, suffix: str) -> Path:
        return self.folder / image[:2] / f"{image}{suffix}"

    def _missing(self, image: str) -> MissingImage:
        return MissingImage(image, f"image {image} isn't in {self.folder}: `triptych mine` makes it again")

    def _write(self, path: str, data: bytes) -> None:
        part = f"{os.path.dirname(path)}/{uuid4().hex}.part"  # noqa: PTH120
        try:
            with _opened(part) as file:
                file.write(data)
                if self.durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(part, path)  # noqa: PTH105
            if self.durable:
                _sync_folder(Path(path).parent)
        except OSError as error:
            with suppress(OSError):
                Path(part).unlink()
            if error.errno in (ENOSPC, EDQUOT):
                message = f"the disk of {self.folder} is full: free some space and run the same command again"
            else:
                message = (
                    f"no image can be written to {self.folder} ({error.strerror}): mend that and run again"
                )
            raise WorkFailed(message) from error


def _opened(part: str) -> BinaryIO:
    """Open a new file; its folder is made for the first one only."""
    try:
        return open(part, "wb")  # noqa: PTH123  (the caller closes it)
    except FileNotFoundError:
        Path(part).parent.mkdir(parents=True, exist_ok=True)
        return Path(part).open("wb")


def _sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
