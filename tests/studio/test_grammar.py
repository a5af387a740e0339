"""Prompts and instructions: what they say, how they read, and what they do to a scene."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.backends.studio.canvas import generator
from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.edits import OPERATIONS, EditPlan, Operation, apply_plan, invert_plan
from triptych.backends.studio.layout import lay_out
from triptych.backends.studio.prompts import Wish, write_prompt
from triptych.backends.studio.proposals import propose_edit
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.wishes import propose_wish
from triptych.backends.studio.wording import instruction_for, templates

SIZES = ((1024, 1024), (640, 1600), (1600, 640), (512, 512))
BANNED = re.compile(
    r"\b(undo|revert|restore|back|again|first|second|third|fourth|fifth|one of|two|three)\b", re.IGNORECASE
)
seeds = st.integers(0, 2**40)
operations = st.sampled_from(OPERATIONS)


def wish_of(seed: int, operation: Operation | None = None) -> Wish:
    categories = () if operation is None else (operation,)
    return propose_wish(generator(seed, "wish"), 1 + seed % 5, categories, None, None)


def edit_of(seed: int, operation: Operation) -> tuple[Wish, EditPlan] | None:
    wish = wish_of(seed, operation)
    plan = propose_edit(generator(seed, "edit"), wish, operation)
    return None if plan is None else (wish, plan)


def assert_reads_well(text: str) -> None:
    assert text
    assert text[0].isupper()
    assert not BANNED.search(text)
    assert not re.search(r"  |\{|\}| ,| \.|\.\.|,,|None", text)
    for article, word in re.findall(r"\b([Aa]n?) (\w+)", text):
        assert (article.lower() == "an") == (word[0].lower() in "aeiou"), text
    assert not re.search(r"\b(\w+) \1\b", text.lower()), text


@given(seeds)
@settings(max_examples=150, deadline=None)
def test_a_prompt_names_every_thing_in_readable_words(seed: int) -> None:
    wish = wish_of(seed)
    prompt = write_prompt(wish, generator(seed, "words"))
    assert_reads_well(prompt)
    for thing in wish.things:
        assert KINDS[thing.kind].noun in prompt
        if thing.colour is not None:
            assert f"{thing.colour} {KINDS[thing.kind].noun}" in prompt


@given(seeds, operations)
@settings(max_examples=300, deadline=None)
def test_an_instruction_and_its_inverse_read_well(seed: int, operation: Operation) -> None:
    found = edit_of(seed, operation)
    if found is None:
        return
    wish, plan = found
    assert_reads_well(instruction_for(plan, generator(seed, "words")))
    assert_reads_well(instruction_for(invert_plan(wish, plan), generator(seed, "inverse")))


def test_one_text_never_means_two_things() -> None:
    prompts: dict[str, Wish] = {}
    instructions: dict[str, EditPlan] = {}
    for seed in range(1500):
        wish = wish_of(seed)
        assert prompts.setdefault(write_prompt(wish, generator(seed, "words")), wish) == wish
        operation = OPERATIONS[seed % len(OPERATIONS)]
        found = edit_of(seed, operation)
        if found is not None:
            text = instruction_for(found[1], generator(seed, "words"))
            told = without_unsaid(found[1])
            assert without_unsaid(instructions.setdefault(text, told)) == told


def without_unsaid(plan: EditPlan) -> EditPlan:
    """A target's place is told only now and then: it helps to find the thing, it isn't part of the change."""
    target = None if plan.target is None else replace(plan.target, place=None)
    return replace(plan, target=target, parts=tuple(without_unsaid(part) for part in plan.parts))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_worded_in_many_ways(operation: Operation) -> None:
    texts = set()
    found = next(found for seed in range(100) if (found := edit_of(seed, operation)) is not None)
    for number in range(200):
        texts.add(instruction_for(found[1], generator(number, "words")))
    assert len(texts) >= 6


def test_every_listed_way_of_speaking_has_its_placeholders() -> None:
    words = templates()
    for operation, ways in (*words["orders"].items(), *words["loose"].items()):
        needed = {"add": "{a}", "remove": "{the}", "replace": "{a}"}.get(operation)
        for way in ways:
            assert needed is None or needed in way
            if operation in ("color", "material", "replace", "remove"):
                assert "{the}" in way
            if operation not in ("add", "remove", "replace"):
                assert re.search(r"\{value|\{there", way)


@given(seeds, operations, st.sampled_from(SIZES))
@settings(max_examples=200, deadline=None)
def test_applying_a_plan_is_pure_and_changes_the_scene(
    seed: int, operation: Operation, size: tuple[int, int]
) -> None:
    found = edit_of(seed, operation)
    if found is None:
        return
    wish, plan = found
    scene = lay_out(wish, seed, size)
    kept = replace(scene)
    edited = apply_plan(scene, plan, size)
    assert scene == kept
    assert edited == apply_plan(scene, plan, size)
    assert edited != scene


@given(seeds, operations, st.sampled_from(SIZES))
@settings(max_examples=300, deadline=None)
def test_the_inverse_leads_to_the_source_scene(
    seed: int, operation: Operation, size: tuple[int, int]
) -> None:
    found = edit_of(seed, operation)
    if found is None:
        return
    wish, plan = found
    scene = lay_out(wish, seed, size)
    edited = apply_plan(scene, plan, size)
    assert meaning(apply_plan(edited, invert_plan(wish, plan), size)) == meaning(scene)


def meaning(scene: Scene) -> tuple[object, ...]:
    """All of a scene but where a thing taken out and put in anew stands."""
    things = sorted((thing.kind, str(thing.colour), str(thing.material)) for thing in scene.things)
    whole = (
        scene.setting,
        scene.time,
        scene.season,
        scene.weather,
        scene.style,
        scene.degradation,
        scene.grade,
    )
    return (*whole, things)


@given(seeds)
@settings(max_examples=80, deadline=None)
def test_a_change_of_place_can_be_taken_to_the_letter(seed: int) -> None:
    """Moving all things to another setting and home again puts each where it was."""
    found = edit_of(seed, "background")
    if found is None:
        return
    wish, plan = found
    scene = lay_out(wish, seed, SIZES[0])
    home = apply_plan(apply_plan(scene, plan, SIZES[0]), invert_plan(wish, plan), SIZES[0])
    for before, after in zip(scene.things, home.things, strict=True):
        assert after.x == before.x
        assert after.y == pytest.approx(before.y)
        assert after.height == pytest.approx(before.height)


def test_sources_look_as_people_know_them() -> None:
    nights = 0
    for seed in range(400):
        wish = wish_of(seed)
        nights += wish.time == "night"
        assert 1 <= len(wish.things) <= 5
        assert not (wish.setting == "desert" and (wish.weather != "clear" or wish.season == "winter"))
        for thing in wish.things:
            assert not (
                KINDS[thing.kind].group == "fruit" and thing.colour in ("blue", "teal", "purple", "pink")
            )
    assert nights < 60
