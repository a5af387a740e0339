"""The studio's judges: what they see, that they repeat themselves, and that they tell good from bad."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.studio.conftest import Studio
from triptych.backends.studio.canvas import generator, to_uint8
from triptych.backends.studio.derived_plans import inverse_in_full, joined
from triptych.backends.studio.derived_wording import order_for
from triptych.backends.studio.edits import EditPlan, invert_plan
from triptych.backends.studio.judge.backend import StudioScreen, StudioSoftFilter, StudioValidator
from triptych.backends.studio.judge.finding import find
from triptych.backends.studio.judge.look import SIDE, Look
from triptych.backends.studio.judge.reading import Mention, read_instruction, read_prompt
from triptych.backends.studio.judge.shipped import FILE_NAME
from triptych.backends.studio.prompts import Description, Wish, write_prompt
from triptych.backends.studio.render import render
from triptych.backends.studio.scene import Scene, Thing
from triptych.backends.studio.wishes import propose_wish
from triptych.backends.studio.wording import instruction_for
from triptych.backends.studio.writer import propose_edits
from triptych.pixels.picture import Picture
from triptych.records import hash_bytes
from triptych.roles import (
    SCREEN_QUESTIONS,
    SOFT_FILTER_QUESTIONS,
    VALIDATOR_QUESTIONS,
    JudgeRequest,
    PairSubject,
    RoleConfig,
    Scored,
    SourceSubject,
    Unscored,
)

VALIDATOR = StudioValidator(RoleConfig("validator", "studio", {}))
SOFT_FILTER = StudioSoftFilter(RoleConfig("soft_filter", "studio", {}))
SCREEN = StudioScreen(RoleConfig("screen", "studio", {}))
WIDTH, HEIGHT = 384, 320
SCENE = Scene(
    seed=11,
    setting="meadow",
    things=(
        Thing("t1", "cat", x=0.25, y=0.86, height=0.26),
        Thing("t2", "automobile", x=0.72, y=0.80, height=0.24),
        Thing("t3", "rabbit", x=0.5, y=0.93, height=0.2),
    ),
)


def shot(scene: Scene) -> Picture:
    pixels = to_uint8(render(scene, WIDTH, HEIGHT))
    return Picture.from_pixels(pixels).stored("jpeg")


def changed(**fields: object) -> Scene:
    """The scene with its car changed."""
    cat, car, rabbit = SCENE.things
    return replace(SCENE, things=(cat, replace(car, **fields), rabbit))  # type: ignore[arg-type]


def without(*names: str) -> Scene:
    return replace(SCENE, things=tuple(thing for thing in SCENE.things if thing.id not in names))


def pair(instruction: str, edited: Scene) -> JudgeRequest:
    return JudgeRequest(PairSubject(shot(SCENE), instruction, shot(edited)), VALIDATOR_QUESTIONS)


def scores(request: JudgeRequest) -> tuple[float, float]:
    (answers,) = asyncio.run(VALIDATOR.judge([request]))
    assert not isinstance(answers, Exception)
    values = [answer.value for answer in answers if isinstance(answer, Scored)]
    assert len(values) == 2
    return values[0], values[1]


BLUE = replace(SCENE.things[2], colour="blue")
HALF_DONE = (
    without("t2"),
    replace(SCENE, things=(*SCENE.things[:2], BLUE)),
    replace(SCENE, things=(SCENE.things[0], BLUE)),
)
THREE_DONE = replace(SCENE, things=(changed(colour="green").things[1], BLUE))


# ---- reading ---------------------------------------------------------------------------------------------


def described(mention: Mention | None) -> tuple[str | None, ...]:
    return () if mention is None else (mention.kind, mention.colour, mention.material)


def same(thing: Description | None) -> tuple[str | None, ...]:
    return () if thing is None else (thing.kind, thing.colour, thing.material)


def wishes() -> list[tuple[Wish, np.random.Generator]]:
    pairs = []
    for seed in range(60):
        rng = generator(seed, "reading")
        pairs.append((propose_wish(rng, 1 + seed % 5, (), None, None), rng))
    return pairs


def test_instructions_are_read_as_they_were_meant() -> None:
    misread = []
    for wish, rng in wishes():
        for text, plan in propose_edits(rng, wish, 6, ()).items():
            back = invert_plan(wish, plan)
            for words, meant in ((text, plan), (instruction_for(back, rng), back)):
                parts: tuple[EditPlan, ...] = meant.parts or (meant,)
                orders = read_instruction(words)
                understood = [(o.operation, o.value, described(o.target)) for o in orders]
                if understood != [(p.operation, p.value, same(p.target)) for p in parts]:
                    misread.append(words)
    assert len(misread) <= 2, misread


def test_joined_orders_are_read_as_they_were_meant() -> None:
    total, misread = 0, []
    for wish, rng in wishes():
        plans = list(propose_edits(rng, wish, 5, ()).values())
        for first, second in pairwise(plans):
            backward = inverse_in_full(wish, first)
            for plan in (joined(first, second), None if backward is None else joined(backward, second)):
                if plan is None:
                    continue
                words = order_for(plan, rng)
                meant = [(p.operation, p.value, p.target and p.target.kind) for p in plan.parts or (plan,)]
                read = [(o.operation, o.value, o.target and o.target.kind) for o in read_instruction(words)]
                total += 1
                if Counter(read) != Counter(meant):
                    misread.append(words)
    assert total > 300
    assert len(misread) <= total // 50, misread


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        (
            "Make the cat red, remove the dog and the car, and turn the picture into a pencil sketch",
            [("color", "cat"), ("remove", "dog"), ("remove", "automobile"), ("style", None)],
        ),
        ("Paint the cat red and the dog blue", [("color", "cat"), ("color", "dog")]),
        ("Paint the cat red and make it much bigger", [("color", "cat"), ("resize", "cat")]),
        ("Move the cat next to the dog to the left side", [("remove", "cat"), ("add", None)]),
        ("Swap the cat for a horse, then make it night", [("replace", "cat"), ("time_of_day", None)]),
        ("Instead of the cat, show a horse", [("replace", "cat")]),
    ],
)
def test_every_order_of_an_instruction_is_read(text: str, orders: list[tuple[str, str | None]]) -> None:
    read = [(order.operation, order.target and order.target.kind) for order in read_instruction(text)]
    assert read == orders


def test_prompts_are_read_as_they_were_meant() -> None:
    for wish, rng in wishes():
        prompt = write_prompt(wish, rng)
        reading = read_prompt(prompt)
        assert [described(m) for m in reading.things] == [same(t) for t in wish.things], prompt
        assert reading.setting == wish.setting, prompt
        assert (reading.time or "day", reading.weather or "clear") == (wish.time, wish.weather), prompt


@pytest.mark.parametrize(
    ("text", "operation", "kind"),
    [
        ("Kindly paint the automobile green, would you", "color", "automobile"),
        ("erase that bunny please", "remove", "rabbit"),
        ("the dog: much larger", "resize", "dog"),
    ],
)
def test_other_wording_still_says_something(text: str, operation: str, kind: str) -> None:
    (order,) = read_instruction(text)
    assert order.operation == operation
    assert order.target is not None
    assert order.target.kind == kind


# ---- finding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 2])
def test_things_are_found_where_they_stand(number: int) -> None:
    thing = SCENE.things[number]
    look = Look(shot(SCENE).pixels)
    pose = find(look, thing.kind)[0]
    x, y = pose.foot
    assert x / look.width == pytest.approx(thing.x, abs=0.03)
    assert y / look.height == pytest.approx(thing.y, abs=0.03)
    assert pose.height / SIDE == pytest.approx(thing.height, rel=0.15)


# ---- judging ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instruction", "good", "bad"),
    [
        ("Make the car green", changed(colour="green"), SCENE),
        ("Make the car green", changed(colour="green"), changed(colour="purple")),
        ("Remove the car", without("t2"), SCENE),
        ("Remove the car", without("t2"), without("t1")),
        ("Remove the car", without("t2"), without("t1", "t2")),
        ("Replace the car with a tractor", changed(kind="tractor"), changed(kind="bus")),
        ("Make the car much smaller", changed(height=0.15), changed(height=0.36)),
        ("Change the car into gold", changed(material="gold"), SCENE),
        ("Make it night", replace(SCENE, time="night"), replace(SCENE, weather="rain")),
        ("Make it look like a pencil sketch", replace(SCENE, style="sketch"), replace(SCENE, style="oil")),
        ("Remove the car and make the rabbit blue", HALF_DONE[2], HALF_DONE[0]),
        ("Remove the car and make the rabbit blue", HALF_DONE[2], HALF_DONE[1]),
        ("Remove the cat, make the car green, and make the rabbit blue", THREE_DONE, changed(colour="green")),
        ("Make the colors warmer", replace(SCENE, grade="warmer"), replace(SCENE, grade="cooler")),
    ],
)
def test_a_good_edit_scores_above_a_bad_one(instruction: str, good: Scene, bad: Scene) -> None:
    assert scores(pair(instruction, good))[0] > scores(pair(instruction, bad))[0] + 0.5


def test_blur_costs_aesthetics() -> None:
    request = pair("Remove the car", without("t2"))
    subject = request.subject
    assert isinstance(subject, PairSubject)
    pixels = subject.edited.pixels.astype(np.float32)
    for _ in range(3):
        pixels = (pixels + np.roll(pixels, 1, 0) + np.roll(pixels, 1, 1) + np.roll(pixels, -1, 1)) / 4
    soft = Picture.from_pixels(pixels.astype(np.uint8)).stored("jpeg")
    blurred = replace(request, subject=replace(subject, edited=soft))
    assert scores(blurred)[1] < scores(request)[1] - 0.5


def test_the_screen_misses_what_a_prompt_names() -> None:
    picture = shot(SCENE)
    there = "A cat on the left, a car on the right and a rabbit in a green meadow."
    absent = "A cat on the left, a tractor on the right and a snail in a green meadow."
    requests = [JudgeRequest(SourceSubject(picture, prompt), SCREEN_QUESTIONS) for prompt in (there, absent)]
    shown = [answers[0].value for answers in asyncio.run(SCREEN.judge(requests))]  # type: ignore[index, union-attr]
    assert shown[0] > shown[1] + 0.2


def test_a_batch_is_judged_like_its_members_and_twice_alike() -> None:
    requests = [
        pair("Make the car green", changed(colour="green")),
        pair("Remove the rabbit", without("t3")),
        pair("Make it night", replace(SCENE, time="night")),
    ]
    together = asyncio.run(VALIDATOR.judge(requests))
    assert together == [asyncio.run(VALIDATOR.judge([request]))[0] for request in reversed(requests)][::-1]
    soft = [replace(request, questions=SOFT_FILTER_QUESTIONS) for request in requests]
    assert asyncio.run(SOFT_FILTER.judge(soft)) == asyncio.run(SOFT_FILTER.judge(soft))


@pytest.mark.parametrize("words", ["Lorem ipsum dolor", "Make the car green and swap the cat for a wombat"])
def test_what_is_not_understood_in_full_is_not_scored(words: str) -> None:
    request = pair(words, SCENE)
    for judge, questions in ((VALIDATOR, VALIDATOR_QUESTIONS), (SOFT_FILTER, SOFT_FILTER_QUESTIONS)):
        (answers,) = asyncio.run(judge.judge([replace(request, questions=questions)]))
        assert answers == tuple(Unscored("instruction_not_understood") for _ in questions)


def test_pictures_of_two_sizes_are_not_scored() -> None:
    small = Picture.from_pixels(np.zeros((64, 64, 3), np.uint8))
    request = JudgeRequest(PairSubject(shot(SCENE), "Remove the car", small), VALIDATOR_QUESTIONS)
    (answers,) = asyncio.run(VALIDATOR.judge([request]))
    assert answers == (Unscored("sizes_differ"), Unscored("sizes_differ"))


# ---- what a judge may know -------------------------------------------------------------------------------


def test_judgement_is_the_same_without_the_world_store(studio: Studio) -> None:
    draft = studio.write(3)
    source = studio.paint(draft.prompt, 5)
    instruction = draft.edits[0].instruction
    edited, _ = studio.edit(source, instruction, 1)
    judge = StudioValidator(studio.config("validator"))
    request = JudgeRequest(PairSubject(source, instruction, edited), VALIDATOR_QUESTIONS)
    before = asyncio.run(judge.judge([request]))
    for path in studio.folder.iterdir():
        path.unlink()
    assert asyncio.run(StudioValidator(studio.config("validator")).judge([request])) == before
    assert not list(studio.folder.iterdir())


def test_judging_loads_nothing_that_knows_the_truth() -> None:
    code = (
        "import sys; from triptych.backends.studio.judge.backend import *; "
        "from triptych.backends.studio.judge.answers import *; "
        "from triptych.backends.studio.judge.model import load_model; load_model(); "
        "print(*(n for n in sys.modules if n.startswith('triptych.backends.studio.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("triptych.backends.studio.") for name in done.stdout.split()}
    forbidden = {"world", "truth", "editor", "painter", "writer", "flaws", "attempt", "mishaps", "edits"}
    assert {"judge.backend", "judge.answers"} <= loaded
    assert not loaded & forbidden


def test_the_shipped_file_is_small_and_named_in_the_spec() -> None:
    data = files("triptych.backends.studio.judge").joinpath(FILE_NAME).read_bytes()
    assert len(data) <= 3_000_000
    for judge in (VALIDATOR, SOFT_FILTER, SCREEN):
        assert hash_bytes(data).startswith(judge.spec.revision.rpartition("-")[2])


def test_the_judges_find_their_file_beside_the_package() -> None:
    folder = Path(str(files("triptych.backends.studio.judge")))
    assert {"judge.npz", "card.json", "CARD.md"} <= {path.name for path in folder.iterdir()}
