"""What a benchmark says and shows, from whatever files it has, and which of our texts say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triptych.datasets.adapters.containers import (
    ArrowFile,
    Container,
    JsonFile,
    LinesFile,
    ParquetFile,
    Row,
    TarFile,
)
from triptych.datasets.adapters.fields import pictures_of, texts_of

NEAR_TEXT = 0.95  # cosine; with the embedded embedder other spelling is above, another colour or side below

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]  # unit vectors, a row a text

_BLOCK = 2_048
_KINDS: Mapping[str, Callable[[Path], Container]] = {
    ".jsonl": LinesFile,
    ".ndjson": LinesFile,
    ".csv": LinesFile,
    ".json": JsonFile,
    ".parquet": ParquetFile,
    ".arrow": ArrowFile,
    ".tar": TarFile,
}


def instructions_below(folder: Path) -> list[str]:
    """Different instructions in text files (a line each), and in tables under the names that audits know."""
    return sorted({text for path in sorted(folder.rglob("*")) if path.is_file() for text in _texts(path)})


def pictures_in_tables_below(folder: Path) -> Iterator[bytes]:
    """Encoded pictures inside Parquet, Arrow and tar files, read or not to be read."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            for row in _rows(path):
                yield from pictures_of(row.record)


def _rows(path: Path) -> Iterator[Row]:
    kind = _KINDS.get(path.suffix.lower())
    if kind is not None:
        yield from (row for row in kind(path).rows() if isinstance(row, Row))


def _texts(path: Path) -> Iterator[str]:
    suffix = path.suffix.lower()
    if suffix == ".txt":
        yield from filter(None, map(str.strip, path.read_text("utf-8", "replace").splitlines()))
    for row in _rows(path):
        yield from texts_of(row.record)


def said_there(ours: Sequence[str], theirs: Sequence[str], embed: Embed) -> set[str]:
    """Those of our texts that are near one of theirs. Memory goes with theirs, time with the product."""
    if not ours or not theirs:
        return set()
    others = embed(theirs)
    found: set[str] = set()
    for start in range(0, len(ours), _BLOCK):
        some = ours[start : start + _BLOCK]
        near = (embed(some) @ others.T).max(axis=1) >= NEAR_TEXT
        found.update(text for text, is_near in zip(some, near, strict=True) if is_near)
    return found
