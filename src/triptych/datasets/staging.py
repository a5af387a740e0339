"""A folder that appears whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triptych.errors import TriptychError, UserError, WorkFailed


@contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` to write into, which becomes `folder` at the end.

    An error that is told leaves nothing. After a kill it stays, for the next try to go on from; whoever
    writes makes sure that nothing old is left in it. UserError where `folder` is there already and isn't
    empty, or is just being written.
    """
    refuse_unless_free(folder)
    part = folder.absolute().with_name(f".{folder.absolute().name}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        with _alone_in(part, folder):
            yield from _to_its_place(part, folder)
    except OSError as error:
        refuse_unless_free(folder)  # somebody else was faster
        raise WorkFailed(
            f"{folder} can't be written ({error.strerror}): mend that, run the same command again"
        ) from error


def _to_its_place(part: Path, folder: Path) -> Iterator[Path]:
    try:
        yield part
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except (OSError, TriptychError):
        shutil.rmtree(part, ignore_errors=True)
        raise


@contextmanager
def _alone_in(part: Path, folder: Path) -> Iterator[None]:
    """UserError where another process is writing there. The system forgets the lock of one that died."""
    held = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise UserError(
            f"another export is being written to {folder}: wait for it, or name another folder with --to"
        ) from None
    try:
        yield
    finally:
        os.close(held)


def keep_only(folder: Path, wanted: set[Path]) -> None:
    """Remove every file of a folder that isn't wanted, and folders that become empty."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what a folder holds comes before it
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in wanted:
            path.unlink()


def refuse_unless_free(folder: Path) -> None:
    """UserError where the folder is there and isn't empty, or is none."""
    try:
        taken = any(folder.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise UserError(f"{folder} is a file: name another folder with --to") from None
    except OSError as error:
        raise UserError(
            f"{folder} can't be used ({error.strerror}): mend that, or name another folder with --to"
        ) from None
    if taken:
        raise UserError(f"{folder} isn't empty: name a new folder with --to, or remove this one")
