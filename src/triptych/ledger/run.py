"""The run folder: where everything of a run lies, and the lock of the one process that mines it.

ledger.sqlite   the facts                   recipe.yaml   what was asked for
images/         pictures, by their hash     lock.json     what it was made with
world.sqlite    the studio's truth          report.html   the gallery
export/         data sets                   mining.lock, mining.json   who mines it now
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import orjson
from filelock import FileLock, Timeout

from triptych import __version__
from triptych.errors import RunError, WorkFailed
from triptych.ledger.dialects import Durability
from triptych.ledger.images import ImageStore
from triptych.ledger.store import Ledger
from triptych.records import Json, Spec

# Packages that what a run makes may depend on; those that aren't installed are left out of the lock file.
_PACKAGES: Final = (
    "blake3",
    "diffusers",
    "google-genai",
    "numpy",
    "openai",
    "opencv-python-headless",
    "orjson",
    "pillow",
    "safetensors",
    "simplejpeg",
    "sqlalchemy",
    "torch",
    "transformers",
)
_OWN_NAMES: Final = ("images", "recipe.yaml", "lock.json", "world.sqlite", "mining.lock", "mining.json")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of a run."""

    path: Path

    @property
    def ledger(self) -> Path:
        """The facts, in SQLite."""
        return self.path / "ledger.sqlite"

    @property
    def images(self) -> Path:
        """Folder of the image store."""
        return self.path / "images"

    @property
    def world(self) -> Path:
        """The studio's truth about what it made; nothing that judges may open it."""
        return self.path / "world.sqlite"

    @property
    def recipe(self) -> Path:
        """The recipe that was run last."""
        return self.path / "recipe.yaml"

    @property
    def lock_file(self) -> Path:
        """What the run was made with."""
        return self.path / "lock.json"

    @property
    def report(self) -> Path:
        """The gallery."""
        return self.path / "report.html"

    @property
    def report_due(self) -> Path:
        """There from the moment that facts may come until the gallery tells of them, kills or not."""
        return self.path / ".report-due"

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """The run in this folder, made if need be. RunError if it can't be written or holds other things."""
        run = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not run.ledger.exists() and any(_strange(path)):
                raise RunError(f"{path} isn't empty and holds no run: name another folder with --out")
            run.images.mkdir(exist_ok=True)
            probe = path / f".{os.getpid()}.probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RunError(
                f"{path} can't be written ({error.strerror}): make it writable, or name another with --out"
            ) from error
        return run

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """The run in this folder, to read. RunError if there is none."""
        run = cls(path)
        if not run.ledger.is_file():
            raise RunError(f"there is no run in {path}: `triptych mine RECIPE --out {path}` makes one")
        return run

    def open_ledger(self, *, read_only: bool = False, durability: Durability = "process") -> Ledger:
        """The run's ledger."""
        return Ledger.open(self.ledger, read_only=read_only, durability=durability)

    def image_store(self, durability: Durability = "process") -> ImageStore:
        """The run's images."""
        return ImageStore(self.images, durable=durability == "power")

    @contextmanager
    def held_for_mining(self) -> Iterator[None]:
        """Keep every other miner out. RunError, naming the other, where somebody mines it already."""
        lock = FileLock(self.path / "mining.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise RunError(
                f"{self.path} is being mined by {self._holder()}: wait for it, or stop it"
            ) from None
        except OSError as error:
            raise RunError(
                f"{self.path} can't be locked ({error.strerror}): make it writable, or use another --out"
            ) from error
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        try:
            with suppress(
                OSError
            ):  # on a full disk the miner goes unnamed; writing facts will say it is full
                self._holder_file.write_bytes(orjson.dumps(holder))
            yield
        finally:
            self._holder_file.unlink(missing_ok=True)
            lock.release()

    def write_lock(self, specs: Iterable[Spec]) -> None:
        """Note what the run is made with, below what it was made with earlier if that differs."""
        current = _environment(specs)
        noted = self.read_lock()
        if not noted or noted[-1] != current:
            self._write_lock([*noted, current])

    def add_to_lock(self, noted: Iterable[Json]) -> None:
        """Note what another run, now part of this one, was made with."""
        known = self.read_lock()
        new = [each for each in noted if each not in known]
        if new:
            self._write_lock([*known, *new])

    def _write_lock(self, noted: Sequence[Json]) -> None:
        part = self.lock_file.with_suffix(".part")
        try:
            part.write_bytes(orjson.dumps(noted, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
            part.replace(self.lock_file)
        except OSError as error:
            raise WorkFailed(
                f"{self.lock_file} can't be written ({error.strerror}): mend that, run again"
            ) from error

    def read_lock(self) -> list[Json]:
        """Everything the run was made with so far, the newest last."""
        try:
            noted: list[Json] = orjson.loads(self.lock_file.read_bytes())
        except FileNotFoundError:
            return []
        except orjson.JSONDecodeError:
            raise RunError(f"{self.lock_file} is damaged: remove it, it is written anew") from None
        return noted

    @property
    def _holder_file(self) -> Path:
        return self.path / "mining.json"

    def _holder(self) -> str:
        try:
            holder = orjson.loads(self._holder_file.read_bytes())
            return f"process {holder['process']} on host {holder['host']}"
        except (OSError, orjson.JSONDecodeError, KeyError):  # it has only just begun, or is just done
            return "another process"


def _strange(folder: Path) -> Iterator[str]:
    """Names in a folder that no run puts there. One killed at birth has its own names, and no ledger yet."""
    for path in folder.iterdir():
        if path.name not in _OWN_NAMES and not path.name.startswith("."):
            yield path.name


def _environment(specs: Iterable[Spec]) -> dict[str, Json]:
    roles: dict[str, Json] = {
        f"{spec.role} {spec.id}": {
            "backend": spec.backend,
            "revision": spec.revision,
            "settings": dict(spec.settings),
        }
        for spec in specs
    }
    packages: dict[str, Json] = {}
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            packages[name] = metadata.version(name)
    return {
        "triptych": __version__,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "packages": packages,
        "roles": roles,
    }
