"""The text files: read once, filled in, and hashed: a prompt's words help to determine an answer."""

from __future__ import annotations

import string
from functools import cache
from pathlib import Path

from triptych.records import hash_bytes

_HERE = Path(__file__).parent
_TEXTS = _HERE / "texts"


@cache
def text(name: str) -> str:
    """A prompt's text by its name, e.g. "write" or "questions/adherence"."""
    return (_TEXTS / f"{name}.txt").read_text(encoding="utf-8").strip()


def has_text(name: str) -> bool:
    """Whether there is a text of that name."""
    return (_TEXTS / f"{name}.txt").is_file()


def filled(name: str, **values: str) -> str:
    """A prompt's text with its `$names` put in. What is put in is not looked at again."""
    return string.Template(text(name)).substitute(values)


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of a list, e.g. "styles"; empty ones left out."""
    found = (_HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in found if line.strip())


@cache
def version_of(*names: str) -> str:
    """Hash over prompts and lists, by file name from this folder: it goes into the spec of who uses them."""
    return hash_bytes(*(f"{name}\0".encode() + (_HERE / name).read_bytes() for name in names))


@cache
def writer_version() -> str:
    """Version of everything that a Writer is told."""
    names = ("write", "describe", "invert", "join", "paraphrase", "again", "banned", "manner")
    prompts = (f"texts/{name}.txt" for name in names)
    return version_of(*prompts, "categories.toml", "styles.txt", "viewpoints.txt", "registers.txt")


@cache
def judge_version() -> str:
    """Version of everything that a Judge is told."""
    found = [*_TEXTS.glob("judge_*.txt"), *_TEXTS.glob("questions/*.txt"), _TEXTS / "again.txt"]
    return version_of(*sorted(path.relative_to(_HERE).as_posix() for path in found))
