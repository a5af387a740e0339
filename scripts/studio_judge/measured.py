"""What the judges measure on every attempt, kept on disk: the slow part of training, done once."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.judge.appearance import describe
from triptych.backends.studio.judge.look import Look
from triptych.backends.studio.judge.pairs import glance, measure
from triptych.backends.studio.judge.reading import read_instruction, read_prompt
from triptych.backends.studio.judge.sources import measure_source
from triptych.pixels.picture import Picture


@dataclass(frozen=True)
class Measured:
    """Rows as `attempts` wrote them, with the features that need no trained head; descriptors by picture."""

    sources: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    descriptors: dict[str, Array]


def measure_all(folder: Path, processes: int) -> None:
    """Measures each scene of the folder that has no file in `features/` yet."""
    (folder / "features").mkdir(exist_ok=True)
    owed = [
        path
        for path in sorted((folder / "rows").glob("*.jsonl"))
        if not (folder / "features" / f"{path.stem}.json").exists()
    ]
    if processes == 1:
        for path in owed:
            _measure_scene(path)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for _ in pool.imap_unordered(_measure_scene, owed, chunksize=2):
            pass


def load(folder: Path, scenes: int) -> Measured:
    """What was measured on the first scenes, in the order of the seeds."""
    loaded = Measured([], [], {})
    for path in sorted((folder / "rows").glob("*.jsonl"))[:scenes]:
        kept = orjson.loads((folder / "features" / f"{path.stem}.json").read_bytes())
        loaded.descriptors.update({k: np.array(v, np.float32) for k, v in kept["pictures"].items()})
        for line, features in zip(path.read_bytes().splitlines(), kept["rows"], strict=True):
            row = orjson.loads(line) | features
            (loaded.sources if row["row"] == "source" else loaded.attempts).append(row)
    return loaded


def _measure_scene(path: Path) -> None:
    cv2.setNumThreads(1)
    folder = path.parent.parent
    looks: dict[str, Look] = {}
    pictures: dict[str, list[float]] = {}

    def look_at(name: str) -> Look:
        if name not in looks:
            data = (folder / "pictures" / f"{name}.jpg").read_bytes()
            looks[name] = Look(Picture.from_encoded(data).pixels)
            pictures[name] = describe(looks[name]).tolist()
        return looks[name]

    rows: list[dict[str, Any]] = []
    for line in path.read_bytes().splitlines():
        row = orjson.loads(line)
        if row["row"] == "source":
            found = measure_source(look_at(row["picture"]), read_prompt(row["prompt"]))
            rows.append({"measured": {"things": found.things, "whole": found.whole}})
            continue
        source, edited = look_at(row["source"]), look_at(row["edited"])
        orders = read_instruction(row["instruction"])
        rows.append(
            {
                "full": measure(source, edited, orders),
                "soft": glance(source.pixels, edited.pixels, orders),
            }
        )
        del looks[row["edited"]]
    out = folder / "features" / f"{path.stem}.json"
    partial = out.with_suffix(".partial")
    partial.write_bytes(orjson.dumps({"pictures": pictures, "rows": rows}))
    partial.rename(out)
