"""The model file that the judges ship with; apart from them, so that who only names it loads no NumPy."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from triptych.records import hash_bytes

FILE_NAME = "judge.npz"


def file_bytes() -> bytes:
    """The whole file."""
    return files("triptych.backends.studio.judge").joinpath(FILE_NAME).read_bytes()


@cache
def file_hash() -> str:
    """The first digits of the shipped file's hash: another file, another judge."""
    return hash_bytes(file_bytes())[:12]
