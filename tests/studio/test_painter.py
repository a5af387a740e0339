"""The Painter: deterministic, another layout for every seed, and wrong in ways that are known."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.studio.conftest import Studio, name
from triptych.backends.studio.artefacts import visible_share
from triptych.backends.studio.canvas import generator
from triptych.backends.studio.layout import box_of, lay_out, overlap, third_of
from triptych.backends.studio.mishaps import MISHAPS, spoil
from triptych.backends.studio.painter import StudioPainter, paint_scene
from triptych.backends.studio.render import render
from triptych.backends.studio.wishes import propose_wish
from triptych.errors import Refused
from triptych.roles import PaintRequest

SIZES = ((1024, 1024), (640, 1600), (1600, 640))


def test_the_same_request_gives_the_same_bytes(tmp_path: Path) -> None:
    pictures = []
    for folder in ("one", "other"):
        studio = Studio(tmp_path / folder)
        draft = studio.write(5)
        pictures.append(studio.paint(draft.prompt, 7, 192, 128))
    assert pictures[0].encoded("jpeg") == pictures[1].encoded("jpeg")
    assert (pictures[0].width, pictures[0].height) == (192, 128)


def test_every_seed_lays_the_prompt_out_anew(studio: Studio) -> None:
    draft = studio.write(5)
    pictures = {studio.paint(draft.prompt, seed, 96, 96).encoded("jpeg") for seed in range(4)}
    assert len(pictures) == 4


def test_a_foreign_prompt_is_refused(studio: Studio) -> None:
    painter = StudioPainter(studio.config("painter"))
    (answer,) = asyncio.run(painter.paint([PaintRequest("a unicorn", 1, 64, 64)]))
    assert isinstance(answer, Refused)
    assert answer.reason == "prompt_not_understood"


@pytest.mark.parametrize("size", SIZES)
def test_things_stand_inside_the_frame_and_where_they_are_wished(size: tuple[int, int]) -> None:
    crowded = 0
    for seed in range(60):
        wish = propose_wish(generator(seed, "wish"), 1 + seed % 5, (), None, None)
        scene = lay_out(wish, seed, size)
        assert [thing.kind for thing in scene.things] == [described.kind for described in wish.things]
        boxes = [box_of(thing, size) for thing in scene.things]
        for thing, described, (left, top, right, bottom) in zip(
            scene.things, wish.things, boxes, strict=True
        ):
            assert top >= 0
            assert bottom <= 1
            assert right - left > 1 or (left >= 0 and right <= 1)
            wide = right - left > 0.4
            if described.place in ("left", "right") and not wide:
                assert third_of(thing) == described.place
        worst = max((overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i]), default=0.0)
        crowded += worst > 0.45
    assert crowded <= 6


def test_every_flaw_of_a_source_shows_in_its_pixels() -> None:
    seen: set[str] = set()
    size = (160, 160)
    for seed in range(400):
        wish = propose_wish(generator(seed, "wish"), 2 + seed % 4, (), None, "render")
        clean = lay_out(wish, seed, size)
        scene, flaws = spoil(generator(seed, "mishaps"), clean, wish, size)
        if len(flaws) != 1 or flaws[0][0] in seen:
            continue
        share = visible_share(render(clean, *size), render(scene, *size))
        assert share > 0.002, (flaws, seed)
        seen.add(flaws[0][0])
        if seen == set(MISHAPS):
            break
    assert seen == set(MISHAPS)


def test_about_four_sources_in_ten_are_flawed_and_say_so() -> None:
    truths = []
    for seed in range(500):
        wish = propose_wish(generator(seed, "wish"), 1 + seed % 5, (), None, None)
        truths.append(paint_scene(wish, seed, (512, 512))[1])
    flawed = np.mean([not truth.good for truth in truths])
    assert 0.33 < flawed < 0.47
    assert all(truth.good == (not truth.flaws) for truth in truths)


def test_planted_omissions_leave_out_one_more_thing_and_say_so() -> None:
    for seed in range(60):
        wish = propose_wish(generator(seed, "wish"), 1 + seed % 5, (), None, None)
        scene, truth = paint_scene(wish, seed, (512, 512))
        lacking, told = paint_scene(wish, seed, (512, 512), omits=1.0)
        fewer = len(scene.things) > 1
        assert len(lacking.things) == len(scene.things) - fewer
        assert not fewer or (told.flaws[-1] == ("missing", 1.0) and not told.shows_prompt)
        assert fewer or told == truth
        assert paint_scene(wish, seed, (512, 512), omits=0.0) == (scene, truth)


def test_what_is_true_of_a_source_is_stored_under_its_picture(studio: Studio) -> None:
    for seed in range(6):
        draft = studio.write(seed)
        picture = studio.paint(draft.prompt, seed, 96, 96)
        known = studio.world.picture(name(picture))
        assert known is not None
        assert known.prompt == draft.prompt
        assert known.truth == studio.source_truth(picture)
