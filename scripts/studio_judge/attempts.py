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

from triptych.backends.studio.derived_truth import truth_of_pair, worst_damage
from triptych.backends.studio.editor import StudioEditor
from triptych.backends.studio.painter import StudioPainter
from triptych.backends.studio.truth import UNSEEN_SETTINGS
from triptych.backends.studio.world import FILE_NAME, WorldStore
from triptych.backends.studio.writer import StudioWriter
from triptych.errors import CallFailed
from triptych.pixels.picture import Picture
from triptych.pixels.sizes import SIZES, Size, scaled
from triptych.records import RoleName, hash_bytes
from triptych.roles import EditRequest, InvertRequest, JoinRequest, PaintRequest, RoleConfig, SceneRequest

# Mining's seeds are its recipes' own * 1,000,000 + ordinal; from here on they are the judge's.
RESERVED_SEEDS = 1_000_000_000_000
LATER_SEEDS = RESERVED_SEEDS + 250_000_000_000  # for what learns beside heads trained before, on the first
HELD_OUT_SEEDS = RESERVED_SEEDS + 500_000_000_000  # scenes that are never trained on
BAD_INVERTED = 0.3  # share of the bad attempts that are inverted too; in mining few of them are accepted
GOOD_DRAWN = 0.8  # chance that a good attempt, where there is one, is drawn to be joined


@dataclass(frozen=True)
class Plan:
    """How many attempts to make, and where they are kept."""

    folder: Path
    scenes: int
    first_seed: int
    sources: int = 8  # painted for each scene; one of them is edited
    edits: int = 6
    attempts: int = 2
    joined: int = 6  # pairs of two edits of one source, under one instruction
    chains: int = 2  # edits of an edited picture; each gives a stack as well: both orders, from the source
    unseen_settings: float = 0.25  # share of the scenes in unseen settings that are kept
    derived_only: bool = (
        False  # of the rows, keep those of no painter and no editor: inverses, joined, chains
    )


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
    scene = _Scene(plan, seed, [size.width, size.height], world, writer, editor, draft.prompt)
    source = sources[chosen][0]
    made = [
        await scene.attempt("forward", source, edit.instruction, seed * 100 + number)
        for edit in draft.edits
        for number in range(plan.attempts)
    ]
    tried = [each for each in made if each is not None]
    await scene.derive(source, tried, np.random.default_rng([seed, 2]))
    made_of_others = [row for row in scene.rows if row["kind"] != "forward"]
    return made_of_others if plan.derived_only else rows + scene.rows


@dataclass(frozen=True)
class _Attempt:
    instruction: str
    picture: Picture
    good: bool


class _Scene:
    """The pairs of one scene: attempts, and what the writer derives from them."""

    def __init__(
        self,
        plan: Plan,
        seed: int,
        size: list[int],
        world: WorldStore,
        writer: StudioWriter,
        editor: StudioEditor,
        prompt: str,
    ) -> None:
        self.plan, self.seed, self.size, self.prompt = plan, seed, size, prompt
        self.world, self.writer, self.editor = world, writer, editor
        self.rows: list[dict[str, Any]] = []
        self.damage: dict[str, list[str]] = {}  # kinds, by picture

    async def attempt(self, kind: str, source: Picture, instruction: str, seed: int) -> _Attempt | None:
        """One attempt of the editor, kept as a row; None: the editor refused."""
        (edited,) = await self.editor.edit([EditRequest(source, instruction, seed)])
        if isinstance(edited, CallFailed):
            return None
        picture = edited.stored("jpeg")
        _keep(self.plan, picture)
        row = self._note(kind, source, instruction, picture)
        return None if row is None else _Attempt(instruction, picture, row["good"])

    async def derive(self, source: Picture, tried: list[_Attempt], rng: np.random.Generator) -> None:
        """Inverses, joined pairs, chains and stacks: of good attempts above all, as in mining."""
        for each in tried:
            if each.good or rng.random() < BAD_INVERTED:
                inverse = await self._inverse(each.instruction)
                if inverse is not None:
                    self._note("inverse", each.picture, inverse, source)
        for _ in range(self.plan.joined):
            drawn = self._two(tried, rng)
            inverse = None if drawn is None else await self._inverse(drawn[0].instruction)
            if drawn is None or inverse is None:
                continue
            text = await self._joined(inverse, drawn[1].instruction)
            if text is not None:
                self._note("composite", drawn[0].picture, text, drawn[1].picture)
        for number in range(self.plan.chains):
            drawn = self._two(tried, rng)
            if drawn is None:
                continue
            first, second = drawn[0], drawn[1].instruction
            then = await self.attempt("chain", first.picture, second, self.seed * 100 + 50 + number)
            text = None if then is None else await self._joined(first.instruction, second)
            if then is not None and text is not None:
                self._note("stack", source, text, then.picture)

    @staticmethod
    def _two(tried: list[_Attempt], rng: np.random.Generator) -> tuple[_Attempt, _Attempt] | None:
        """Attempts at two instructions, mostly good ones."""
        texts = list(dict.fromkeys(each.instruction for each in tried))
        if len(texts) < 2:
            return None
        drawn = []
        for index in rng.permutation(len(texts))[:2]:
            of = [each for each in tried if each.instruction == texts[int(index)]]
            good = [each for each in of if each.good]
            able = good if good and rng.random() < GOOD_DRAWN else of
            drawn.append(able[int(rng.integers(len(able)))])
        return drawn[0], drawn[1]

    async def _inverse(self, instruction: str) -> str | None:
        (text,) = await self.writer.invert([InvertRequest(self.prompt, instruction, "", self.seed)])
        return None if isinstance(text, CallFailed) else text

    async def _joined(self, first: str, second: str) -> str | None:
        (text,) = await self.writer.join([JoinRequest(first, second, self.seed)])
        return None if isinstance(text, CallFailed) else text

    def _note(self, kind: str, first: Picture, instruction: str, second: Picture) -> dict[str, Any] | None:
        """A pair as a row; None: its truth isn't known."""
        before, after = (hash_bytes(picture.encoded("jpeg")) for picture in (first, second))
        shown, showing = self.world.picture(before), self.world.picture(after)
        truth, plan = truth_of_pair(self.world, before, instruction, after), self.world.plan(instruction)
        if truth is None or plan is None or shown is None or showing is None:
            return None
        row = {
            "row": "attempt",
            "kind": kind,
            "seed": self.seed,
            "size": self.size,
            "source": before,
            "edited": after,
            "instruction": instruction,
            "category": plan.operation,
            "plan": asdict(plan),
            "source_scene": asdict(shown.scene),
            "scene": asdict(showing.scene),
            "truth": asdict(truth),
            # All damage that either picture bears, though a pair be none the worse for what both have.
            "bears": sorted({*self._bears(before), *self._bears(after)}),
            "good": truth.good,
        }
        self.rows.append(row)
        return row

    def _bears(self, image: str) -> list[str]:
        if image not in self.damage:
            self.damage[image] = [kind for kind, _ in worst_damage(self.world, image)]
        return self.damage[image]


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
