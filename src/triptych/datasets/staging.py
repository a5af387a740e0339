"""A folder that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triptych.errors import UserError, WorkFailed


@contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` to write into, which becomes `folder` at the end.

    After an error or a kill it stays, for the next try to go on from; whoever writes makes sure that nothing
    old is left in it. UserError where `folder` is there already and isn't empty.
    """
    refuse_unless_free(folder)
    part = folder.absolute().with_name(f".{folder.absolute().name}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        yield part
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        refuse_unless_free(folder)  # somebody else was faster
        raise WorkFailed(
            f"{folder} can't be written ({error.strerror}): mend that, run the same command again"
        ) from error


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
    except PermissionError:
        raise UserError(
            f"{folder} can't be read: make it readable, or name another folder with --to"
        ) from None
    if taken:
        raise UserError(f"{folder} isn't empty: name a new folder with --to, or remove this one")
