"""Attempts to learn from: the studio's own Writer, Painter and Editor at seeds that mining never uses."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson

from triptych.backends.studio.editor import StudioEditor
from triptych.backends.studio.painter import StudioPainter
from triptych.backends.studio.truth import UNSEEN_SETTINGS
from triptych.backends.studio.world import FILE_NAME, WorldStore
from triptych.backends.studio.writer import StudioWriter
from triptych.errors import CallFailed
from triptych.pixels.picture import Picture
from triptych.pixels.sizes import SIZES, Size, scaled
from triptych.records import RoleName, hash_bytes
from triptych.roles import EditRequest, PaintRequest, RoleConfig, SceneRequest

# Mining's seeds are its recipes' own * 1,000,000 + ordinal; from here on they are the judge's.
RESERVED_SEEDS = 1_000_000_000_000
HELD_OUT_SEEDS = RESERVED_SEEDS + 500_000_000_000  # scenes that are never trained on


@dataclass(frozen=True)
class Plan:
    """How many attempts to make, and where they are kept."""

    folder: Path
    scenes: int
    first_seed: int
    sources: int = 8  # painted for each scene; one of them is edited
    edits: int = 6
    attempts: int = 2
    unseen_settings: float = 0.25  # share of the scenes in unseen settings that are kept


def make_attempts(plan: Plan, processes: int) -> None:
    """Writes `pictures/` and one line a picture or attempt in `rows/`; scenes that are there are kept."""
    for name in ("pictures", "rows"):
        (plan.folder / name).mkdir(parents=True, exist_ok=True)
    owed = [
        plan.first_seed + number
        for number in range(plan.scenes)
        if not (plan.folder / "rows" / f"{plan.first_seed + number}.jsonl").exists()
    ]
    if processes == 1:
        for seed in owed:
            _make_scene((plan, seed))
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for _ in pool.imap_unordered(_make_scene, [(plan, seed) for seed in owed], chunksize=2):
            pass


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Every row, in the order of the seeds."""
    for path in sorted((folder / "rows").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            yield orjson.loads(line)


def _make_scene(task: tuple[Plan, int]) -> None:
    cv2.setNumThreads(1)
    plan, seed = task
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_scene_rows(plan, seed, Path(folder)))
    path = plan.folder / "rows" / f"{seed}.jsonl"
    partial = path.with_suffix(".partial")
    partial.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    partial.rename(path)


async def _scene_rows(plan: Plan, seed: int, world_folder: Path) -> list[dict[str, Any]]:
    rng = np.random.default_rng([seed, 1])
    writer = StudioWriter(_config("writer", world_folder))
    painter = StudioPainter(_config("painter", world_folder))
    editor = StudioEditor(_config("editor", world_folder))
    world = WorldStore(world_folder / FILE_NAME)

    (draft,) = await writer.write([SceneRequest(seed, 1 + int(rng.integers(5)), plan.edits)])
    if isinstance(draft, CallFailed) or draft.prompt is None:
        return []
    wish = world.wish(draft.prompt)
    assert wish is not None
    if wish.setting in UNSEEN_SETTINGS and rng.random() > plan.unseen_settings:
        return []
    size = _size(rng)
    requests = [
        PaintRequest(draft.prompt, seed * 10 + number, size.width, size.height)
        for number in range(plan.sources)
    ]
    rows: list[dict[str, Any]] = []
    sources: list[tuple[Picture, bool]] = []
    for painted in await painter.paint(requests):
        assert isinstance(painted, Picture)
        picture = painted.stored("jpeg")
        name = _keep(plan, picture)
        known = world.picture(name)
        assert known is not None
        assert known.truth is not None
        sources.append((picture, known.truth.good))
        rows.append(
            {
                "row": "source",
                "seed": seed,
                "size": [size.width, size.height],
                "picture": name,
                "prompt": draft.prompt,
                "wish": asdict(wish),
                "scene": asdict(known.scene),
                "truth": asdict(known.truth),
            }
        )
    good = [number for number, (_, fit) in enumerate(sources) if fit]
    chosen = good[0] if good and rng.random() < 0.85 else 0
    source = sources[chosen][0]
    for edit in draft.edits:
        for number in range(plan.attempts):
            (edited,) = await editor.edit([EditRequest(source, edit.instruction, seed * 100 + number)])
            if isinstance(edited, CallFailed):
                continue
            picture = edited.stored("jpeg")
            name = _keep(plan, picture)
            truth = world.truth_of(rows[chosen]["picture"], edit.instruction, name)
            known = world.picture(name)
            assert truth is not None
            assert known is not None
            rows.append(
                {
                    "row": "attempt",
                    "seed": seed,
                    "size": [size.width, size.height],
                    "source": rows[chosen]["picture"],
                    "edited": name,
                    "instruction": edit.instruction,
                    "category": edit.category,
                    "plan": asdict(world.plan(edit.instruction)),  # type: ignore[call-overload]
                    "source_scene": rows[chosen]["scene"],
                    "scene": asdict(known.scene),
                    "truth": asdict(truth),
                    "good": truth.good,
                }
            )
    return rows


def _size(rng: np.random.Generator) -> Size:
    megapixels = float(rng.choice((0.25, 0.5, 1.0), p=(0.88, 0.08, 0.04)))
    return scaled(SIZES[int(rng.integers(len(SIZES)))], megapixels)


def _config(role: RoleName, folder: Path) -> RoleConfig:
    return RoleConfig(role=role, backend="studio", settings={}, run_folder=folder)


def _keep(plan: Plan, picture: Picture) -> str:
    data = picture.encoded("jpeg")
    name = hash_bytes(data)
    (plan.folder / "pictures" / f"{name}.jpg").write_bytes(data)
    return name
