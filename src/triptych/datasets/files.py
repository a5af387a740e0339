"""The files of one export while they are written.

A picture is checked while its bytes are at hand: what was read hashes to its name, and all of it was written.
The check at the end follows the names that a reader would; it reads every `SAMPLED`-th picture file whole,
and any that size or time say was touched, and trusts the others to what was seen of them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import TypeVar

from triptych.datasets.images import Images, pieces
from triptych.datasets.marking import is_image
from triptych.errors import MissingImage, WorkFailed
from triptych.records import hash_bytes

_Item = TypeVar("_Item")
_Loaded = TypeVar("_Loaded")
_THREADS = min(4, os.cpu_count() or 1)  # reading, hashing and writing leave Python's lock alone
_AHEAD = 16
SAMPLED = 16
_BATCH = 16


class Files:
    """What an export has written: to a folder that isn't final yet, for a folder where it will lie."""

    def __init__(self, part: Path, home: Path) -> None:
        self.part = part  # where files are written
        self.home = home  # where they will be found; absolute
        self.written: set[Path] = set()
        self.images: set[str] = set()
        self.image_bytes = 0
        self.seen: dict[Path, tuple[str, int, int]] = {}  # file → image, size, time of change when written
        self._folders: set[Path] = set()

    def below(self, folder: str) -> Files:
        """The same export, from a folder inside it."""
        inner = Files(self.part / folder, self.home / folder)
        inner.written, inner.images, inner.seen = self.written, self.images, self.seen
        return inner

    def new(self, name: str) -> Path:
        """Where to write the file of this name (relative, with slashes), which now belongs to the export."""
        path = self.part / name
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        self.written.add(path)
        return path

    def write(self, name: str, data: bytes | Iterable[bytes]) -> None:
        """Write a whole file."""
        with self.new(name).open("wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)

    def count(self, image: str, size: int) -> None:
        """So many bytes of a file are this image."""
        self.images.add(image)
        self.image_bytes += size

    def copy_images(self, copies: Mapping[str, Sequence[str]], images: Images) -> None:
        """Write every image under all its names. What an interrupted export left there is made use of."""
        for name in (name for names in copies.values() for name in names):
            self.new(name)

        def copy(batch: Sequence[tuple[str, Sequence[str]]]) -> int:
            size = 0
            buffer = own_buffer()
            for image, names in batch:
                original = buffer.read(images.path(image))
                whole = hash_bytes(original) == image
                # Another run's copy may be whole where this one isn't; if none is, `get` says so.
                published = pieces(images, image, original) if whole else [memoryview(images.get(image))]
                whole = whole or is_image(published[0], image)
                for name in names:
                    found = _write_unless_there(self.part / name, published)
                    if whole:
                        self.seen[self.part / name] = (image, *found)
                size += sum(map(len, published)) * len(names)
            return size

        items = sorted(copies.items())
        batches = [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
        self.image_bytes += sum(loaded_ahead(batches, copy))
        self.images.update(copies)

    def holds(self, path: Path, image: str) -> bool:
        """Whether this file was written as the image, and has size and time of change as then."""
        try:
            found = path.stat()
        except OSError:
            return False
        return self.seen.get(path) == (image, found.st_size, found.st_mtime_ns)


def loaded_ahead(
    items: Iterable[_Item], load: Callable[[_Item], _Loaded], ahead: int = _AHEAD
) -> Iterator[_Loaded]:
    """`load` of every item in order, in threads, a few ahead of who asks."""
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[Future[_Loaded]] = deque()
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_of_thread = local()


def own_buffer() -> Buffer:
    """A buffer that no other thread uses."""
    if not hasattr(_of_thread, "buffer"):
        _of_thread.buffer = Buffer()
    buffer: Buffer = _of_thread.buffer
    return buffer


class Buffer:
    """Memory that file after file is read into: faster than new memory for each."""

    def __init__(self) -> None:
        self._memory = memoryview(bytearray(1 << 20))

    def read(self, path: Path) -> memoryview:
        """The whole file; valid until the next one is read. MissingImage where it has gone."""
        try:
            with path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                if size > len(self._memory):
                    self._memory = memoryview(bytearray(2 * size))
                filled = 0
                while count := file.readinto(self._memory[filled:size]):
                    filled += count
                return self._memory[:filled]
        except FileNotFoundError:
            raise MissingImage(path.stem, f"{path} has gone: `triptych mine` makes it again") from None


def _write_unless_there(path: Path, published: Sequence[memoryview]) -> tuple[int, int]:
    """Write the pieces to a file; its size and time of change. WorkFailed where not all of it could be."""
    size = sum(map(len, published))
    try:
        file = path.open("xb", buffering=0)
    except FileExistsError:
        if path.read_bytes() == b"".join(published):
            return size, path.stat().st_mtime_ns
        file = path.open("wb", buffering=0)
    with file:
        if os.writev(file.fileno(), published) < size:  # a full disk, or a signal
            file.seek(0)
            file.truncate()
            for piece in published:
                written = 0
                while written < len(piece):
                    written += file.write(piece[written:])
        found = os.fstat(file.fileno())
    if found.st_size != size:
        raise WorkFailed(f"{path} couldn't be written to its end: free some space and run again")
    return size, found.st_mtime_ns
