"""ImagenHub's ratings with the raw scores of the judges that VIEScore ran on them, one image a line.

    task, model, uid, instruction      what was made, by which editor, from which source and instruction
    human_sc, human_pq                 three raters, 0 / 0.5 / 1: semantic consistency, perceptual quality
    judges: name → {SC: […], PQ: […]}  sub-scores 0..10; other keys are measurements, e.g. LPIPS

A judge's answer that is absent, no number, or out of 0..10 is missing. It is never a 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Literal, get_args

import orjson

from triptych.errors import UserError

Scale = Literal["SC", "PQ", "O"]
SCALES: tuple[Scale, ...] = get_args(Scale)
_FIELDS = ("task", "model", "uid", "human_sc", "human_pq", "judges")
RATERS = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What one judge run said of one image: sub-scores 0..10, empty where it gave none."""

    sc: tuple[float, ...]
    pq: tuple[float, ...]

    def score(self, scale: Scale) -> float | None:
        """Lowest sub-score, and for O √(SC·PQ). None unless both scales were answered.

        Fractions are cut off, as in VIEScore's own code.
        """
        if not self.sc or not self.pq:
            return None
        sc, pq = int(min(self.sc)), int(min(self.pq))
        return {"SC": sc, "PQ": pq, "O": sqrt(sc * pq)}[scale]


@dataclass(frozen=True, slots=True)
class RatedImage:
    """One image, what three people said of it, and what the judges said."""

    task: str
    editor: str
    uid: str
    human_sc: tuple[float, ...]
    human_pq: tuple[float, ...]
    judges: Mapping[str, Answer]
    measurements: Mapping[str, float]

    def human(self, scale: Scale) -> tuple[float, ...]:
        """Each rater's score 0..1; O is √(SC·PQ) of each rater."""
        if scale == "SC":
            return self.human_sc
        if scale == "PQ":
            return self.human_pq
        return tuple(sqrt(sc * pq) for sc, pq in zip(self.human_sc, self.human_pq, strict=True))


def read_imagenhub(path: Path) -> list[RatedImage]:
    """Read the file. Raises UserError that names the line of the first bad row."""
    images: list[RatedImage] = []
    seen: dict[tuple[str, str, str], int] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"no ratings at {path} ({error.strerror}); give ImagenHub's JSONL file") from None
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        where = f"{path}, line {line}"
        image = _parse(text, where)
        key = (image.task, image.editor, image.uid)
        if key in seen:
            raise UserError(f"{where}: {image.editor} on {image.uid} again, as in line {seen[key]}; keep one")
        seen[key] = line
        images.append(image)
    if not images:
        raise UserError(f"{path}: no rated images in it; give ImagenHub's JSONL file")
    return images


def _parse(text: bytes, where: str) -> RatedImage:
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise UserError(f"{where}: not JSON; one object a line") from None
    missing = [name for name in _FIELDS if not isinstance(row, dict) or name not in row]
    if missing:
        raise UserError(f"{where}: no {', '.join(missing)}; a row is {', '.join(_FIELDS)}")
    if not isinstance(row["judges"], dict):
        raise UserError(f"{where}: judges is no mapping of names to scores; mend the row")
    judges, measurements = {}, {}
    for name, said in row["judges"].items():
        if not isinstance(said, dict):
            continue
        answer = Answer(_sub_scores(said.get("SC")), _sub_scores(said.get("PQ")))
        if "SC" in said or "PQ" in said:
            judges[name] = answer
        for key, value in said.items():
            if key not in SCALES and isinstance(value, int | float):
                measurements[f"{name}.{key}"] = float(value)
    human_sc, human_pq = _human(row["human_sc"], where), _human(row["human_pq"], where)
    return RatedImage(row["task"], row["model"], row["uid"], human_sc, human_pq, judges, measurements)


def _human(values: object, where: str) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) != RATERS:
        raise UserError(f"{where}: {values!r} isn't the scores of {RATERS} raters; mend the row")
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in values):
        raise UserError(f"{where}: human scores {values!r} are not from 0 to 1; mend the row")
    return tuple(float(value) for value in values)


def _sub_scores(values: object) -> tuple[float, ...]:
    listed = values if isinstance(values, list) else [values]
    numbers = [_sub_score(value) for value in listed]
    return tuple(number for number in numbers if number is not None)


def _sub_score(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number <= 10 else None
