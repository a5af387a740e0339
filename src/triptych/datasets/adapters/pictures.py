"""From the name of a picture in a row to its bytes: a file of the data set, or a member of its tars.

Nothing outside the data set's folder is ever read, whatever a row names.
"""

from __future__ import annotations

import os
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from triptych.datasets.adapters.sample import Unusable

_HUB_SNAPSHOTS = "snapshots"  # the Hub's cache links its files to ../../blobs


@dataclass(frozen=True, slots=True)
class _Member:
    tar: Path
    offset: int
    size: int


class Pictures:
    """The pictures below a folder, by the names that rows give them."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        cached = self.root.parent.name == _HUB_SNAPSHOTS
        self._border = self.root.parents[1] if cached else self.root

    def get(self, name: str, beside: Path) -> bytes:
        """The file of that name, from the folder of the rows or of the data set. Unusable says why not."""
        if "://" in name:
            return self._downloaded(name)
        for folder in dict.fromkeys((beside.resolve(), self.root)):
            path = Path(os.path.normpath(folder / name))
            if not path.is_relative_to(self.root):
                raise Unusable("outside_folder")
            if _is_file(path):
                if not path.resolve().is_relative_to(self._border):
                    raise Unusable("outside_folder")
                return _read(path)
        member = self._member(name)
        with member.tar.open("rb") as file:
            file.seek(member.offset)
            data = file.read(member.size)
        if len(data) < member.size:
            raise Unusable("unreadable_picture")
        return data

    def _downloaded(self, url: str) -> bytes:
        """What lies here of a picture that the data set only links to, under its own full name."""
        try:
            name = PurePosixPath(unquote(urlsplit(url).path)).name
        except ValueError:  # no link that anybody could follow
            raise Unusable("not_downloaded") from None
        path = self._by_file_name.get(name)
        if path is None:
            raise Unusable("not_downloaded")
        return _read(path)

    def _member(self, name: str) -> _Member:
        """The member of that path. Tars are packed from above or below where a row's names start."""
        wanted = PurePosixPath(name.removeprefix("./")).parts
        found = [
            member
            for path, member in self._members.get(wanted[-1] if wanted else "", ())
            if all(one == other for one, other in zip(reversed(path), reversed(wanted), strict=False))
        ]
        if not found:
            raise Unusable("missing_file")
        if len(found) > 1:
            raise Unusable("ambiguous_file")
        return found[0]

    @cached_property
    def _by_file_name(self) -> dict[str, Path]:
        found = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {path.name: path for path in found if path.resolve().is_relative_to(self._border)}

    @cached_property
    def _members(self) -> dict[str, list[tuple[tuple[str, ...], _Member]]]:
        """All members of all tars, by the last part of their path."""
        found: dict[str, list[tuple[tuple[str, ...], _Member]]] = defaultdict(list)
        for tar in sorted(self.root.rglob("*.tar")):
            for path, member in _list(tar):
                found[path[-1]].append((path, member))
        return found


def _is_file(path: Path) -> bool:
    """Whether it is one; no file has a name that is too long for the system."""
    try:
        return path.is_file()
    except OSError:
        return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Unusable("unreadable_file") from None


def _list(tar: Path) -> Iterator[tuple[tuple[str, ...], _Member]]:
    """Members of a plain tar with the parts of their paths, as far as it can be read."""
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                if member.isfile():
                    parts = PurePosixPath(member.name.removeprefix("./")).parts
                    yield parts, _Member(tar, member.offset_data, member.size)
    except (tarfile.TarError, OSError):
        return
