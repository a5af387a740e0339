"""Triplets made by hand, with small pictures in a real image store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triptych.datasets.dataset import DataSet, Origin
from triptych.ledger.images import ImageStore
from triptych.mining.select import RejectedPair, Triplet
from triptych.pixels.picture import Picture
from triptych.recipe import Recipe, RoleRecipe
from triptych.records import (
    Attempt,
    Edit,
    ImageFormat,
    RoleName,
    Scene,
    Source,
    Spec,
    attempt_id,
    edit_id,
    hash_bytes,
    pair_id,
    scene_id,
    source_id,
)
from triptych.validator.rule import Gate, Scores

CATEGORIES = ("add_object", "remove_object", "change_colour", "season")
STUDIO = RoleRecipe(backend="studio")
RECIPE = Recipe(
    name="made",
    scenes=3,
    writer=STUDIO,
    painter=STUDIO,
    screen=STUDIO,
    editor=STUDIO,
    soft_filter=STUDIO,
    validator=STUDIO,
)
SPEC_ROLES: tuple[RoleName, ...] = ("writer", "painter", "screen", "editor", "soft_filter", "validator")
SPECS = {role: Spec(role, f"triptych.backends.studio.roles:{role}", "1", {"n": 1}) for role in SPEC_ROLES}


def picture(seed: int, width: int = 48, height: int = 32, image_format: ImageFormat = "jpeg") -> bytes:
    """Encoded noise on a coloured ground."""
    chance = np.random.default_rng(seed)
    pixels = chance.integers(0, 60, (height, width, 3)) + chance.integers(0, 190, 3)
    return Picture.from_pixels(pixels.astype(np.uint8)).encoded(image_format)


def triplet(
    number: int,
    images: ImageStore,
    *,
    instruction: str | None = None,
    style: str | None = None,
    prompt: str | None = None,
    width: int = 48,
    height: int = 32,
    image_format: ImageFormat = "jpeg",
) -> Triplet:
    """The number-th triplet; three in a row share one source."""
    ground = number // 3
    text = prompt or f"a meadow, number {ground}"
    scene = Scene(scene_id("written", text), "written", text, style)
    before = images.put(picture(ground, width, height, image_format))
    after = images.put(picture(1000 + number, width, height, image_format))
    said = f"Add duck {number}" if instruction is None else instruction
    edit = Edit(edit_id(scene.id, said), scene.id, 0, said, CATEGORIES[number % len(CATEGORIES)])
    painter, editor = SPECS["painter"].id, SPECS["editor"].id
    made = source_id(scene.id, painter, 0, width, height)
    source = Source(made, 0, scene.id, painter, 0, width, height, before, "0" * 32)
    pair = pair_id(before, said, after)
    tried = attempt_id(made, edit.id, editor, 0)
    attempt = Attempt(tried, 0, made, edit.id, editor, 0, after, "0" * 32, pair)
    return Triplet(
        attempt.pair_id,
        "forward",
        scene,
        source,
        (edit,),
        (attempt,),
        source.image,
        edit.instruction,
        attempt.image,
        Scores(4.7 + (number % 30) / 100, 4.9),
    )


def triplets(count: int, images: ImageStore) -> list[Triplet]:
    """Triplets 0, 1, …; every second scene names a style."""
    return [triplet(n, images, style="oil painting" if n // 3 % 2 else None) for n in range(count)]


def inverse_of(made: Triplet, instruction: str) -> Triplet:
    """⟨edited, instruction, source⟩."""
    pair = pair_id(made.edited_image, instruction, made.source_image)
    sides = made.edited_image, instruction, made.source_image
    return Triplet(pair, "inverse", made.scene, made.source, made.edits, made.attempts, *sides, made.scores)


def data_set_of(rows: Sequence[Triplet], rejects: Sequence[RejectedPair] = ()) -> DataSet:
    """A data set of one run."""
    return DataSet("made", rows, [Origin(RECIPE, SPECS, {"attempts": 20, "selected": 9})], rejects)


def worse(made: Triplet, reason: str, images: ImageStore, scores: Scores | None = None) -> RejectedPair:
    """Another edit of the same source under the same instruction, which a gate stopped."""
    after = images.put(picture(hash_seed(made.id + reason), made.width, made.height))
    pair = pair_id(made.source_image, made.instruction, after)
    sides = made.source_image, made.instruction, after
    gate: Gate = "soft_filter" if scores is None else "validator"
    made_of = made.edits, made.attempts
    soft = Scores(2.5, 4.0)
    root = made.scene, made.source
    return RejectedPair(pair, made.kind, *root, *made_of, *sides, gate, reason, soft, scores)


def hash_seed(text: str) -> int:
    """A number from a text."""
    return int(hash_bytes(text.encode())[:6], 16) + 5000


def rejected(number: int, reason: str, images: ImageStore) -> RejectedPair:
    """A pair stopped for this reason, judged by the soft filter alone."""
    made = triplet(number, images, instruction=f"Remove tree {number} ({reason})")
    soft = Scores(2.5, 4.0)
    return RejectedPair(
        made.id,
        made.kind,
        made.scene,
        made.source,
        made.edits,
        made.attempts,
        made.source_image,
        made.instruction,
        made.edited_image,
        "soft_filter",
        reason,
        soft,
        None,
    )
