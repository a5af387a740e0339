"""The studio's renderer: a pure function whose untouched parts stay as they were."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.backends.studio.artwork import load_picture
from triptych.backends.studio.catalogue import COLOURS, KINDS, MATERIALS, kinds_for
from triptych.backends.studio.degrade import degrade
from triptych.backends.studio.grade import grade
from triptych.backends.studio.render import render, render_masks
from triptych.backends.studio.scene import (
    DEGRADATIONS,
    GRADES,
    SETTINGS,
    STYLES,
    TIMES,
    WEATHERS,
    Scene,
    Thing,
)
from triptych.backends.studio.styles import stylise
from triptych.backends.studio.weather import weather_over

CAT = Thing("t1", "cat", x=0.28, y=0.84, height=0.26)
CAR = Thing("t2", "automobile", x=0.70, y=0.80, height=0.22)
BALLOON = Thing("t3", "balloon", x=0.5, y=0.4, height=0.2, ground=0.8)
MEADOW = Scene(seed=11, setting="meadow", things=(CAT, CAR, BALLOON))
SIZE = (288, 288)
GREY_LEVEL = 1 / 255


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A smooth stand-in for a photograph, with edges and some texture."""
    rng = np.random.default_rng(4)
    coarse = cv2.resize(rng.random((9, 12, 3), dtype=np.float32), (320, 240), interpolation=cv2.INTER_CUBIC)
    cv2.circle(coarse, (100, 120), 50, (0.9, 0.3, 0.2), -1)
    return np.clip(coarse + 0.02 * rng.standard_normal(coarse.shape, dtype=np.float32), 0, 1)


def box(thing: Thing, width: int, height: int, margin: float = 0.0) -> tuple[slice, slice]:
    """The pixels around a thing, with a margin in sides."""
    side = (width * height) ** 0.5
    picture = load_picture(thing.kind)
    half = thing.height * side * picture.shape[1] / picture.shape[0] / 2 + margin * side
    x, y = thing.x * width, thing.y * height
    top = max(0, int(y - (thing.height + margin) * side))
    return (
        slice(top, int(y + margin * side)),
        slice(max(0, int(x - half)), int(x + half)),
    )


def test_every_kind_has_a_picture_and_every_setting_has_kinds() -> None:
    for key in KINDS:
        picture = load_picture(key)
        assert picture.ndim == 3
        assert picture.shape[2] == 4
        assert min(picture.shape[:2]) > 40
        # Trimmed: the feet stand on the lower edge, so that a foot point is where the thing meets the ground.
        assert picture[-1, :, 3].max() > 8
    for setting in SETTINGS:
        assert len(kinds_for(setting)) >= 6
    assert all(0.05 < kind.height <= 0.55 for kind in KINDS.values())
    assert {kind.natural_colour for kind in KINDS.values()} <= {*COLOURS, "grey"}


def test_rendering_is_a_function_of_the_scene() -> None:
    assert np.array_equal(render(MEADOW, *SIZE), render(MEADOW, *SIZE))
    assert not np.array_equal(render(MEADOW, *SIZE), render(replace(MEADOW, seed=12), *SIZE))


def test_removing_a_thing_changes_only_its_surroundings() -> None:
    change = np.abs(render(MEADOW, *SIZE) - render(replace(MEADOW, things=(CAT, BALLOON)), *SIZE)).max(axis=2)
    inside = box(CAR, *SIZE)
    assert np.median(change[inside]) > 0.05
    far = np.ones(change.shape, bool)
    far[box(CAR, *SIZE, margin=0.25)] = False
    assert far.mean() > 0.5
    assert change[far].max() <= GREY_LEVEL


def test_far_from_an_edit_every_bit_stays() -> None:
    for edited in ((CAR, BALLOON), (replace(CAT, colour="blue"), CAR, BALLOON)):
        change = render(MEADOW, *SIZE) != render(replace(MEADOW, things=edited), *SIZE)
        change[box(CAT, *SIZE, margin=0.3)] = False
        assert not change.any()


def test_the_order_of_things_in_the_record_does_not_matter() -> None:
    assert np.array_equal(render(MEADOW, *SIZE), render(replace(MEADOW, things=(BALLOON, CAR, CAT)), *SIZE))


@pytest.mark.parametrize("colour", ["red", "green", "blue", "purple", "white", "black"])
def test_recolouring_reaches_the_colour_and_nothing_else(colour: str) -> None:
    plain = render(MEADOW, *SIZE)
    painted = render(replace(MEADOW, things=(replace(CAT, colour=colour), CAR, BALLOON)), *SIZE)
    mask = render_masks(MEADOW, *SIZE)["t1"]
    assert np.abs(plain - painted).max(axis=2)[mask > 0.9].mean() > 0.1
    far = np.ones(mask.shape, bool)
    far[box(CAT, *SIZE, margin=0.1)] = False
    assert np.abs(plain - painted)[far].max() <= GREY_LEVEL

    hsv = cv2.cvtColor(painted, cv2.COLOR_RGB2HSV)[mask > 0.95]
    target = COLOURS[colour]
    if target.saturation < 0.15:
        assert abs(np.median(hsv[:, 2]) - target.value) < 0.3
        assert np.median(hsv[:, 1]) < 0.35
    else:
        offset = (hsv[:, 0] / 360 - target.hue + 0.5) % 1 - 0.5
        assert abs(np.median(offset)) < 0.06


@pytest.mark.parametrize("material", MATERIALS)
def test_a_material_is_visible_and_stays_in_place(material: str) -> None:
    plain = render(MEADOW, *SIZE)
    made = render(replace(MEADOW, things=(replace(CAT, material=material), CAR, BALLOON)), *SIZE)
    mask = render_masks(MEADOW, *SIZE)["t1"]
    assert np.abs(plain - made).max(axis=2)[mask > 0.9].mean() > 0.03
    far = np.ones(mask.shape, bool)
    far[box(CAT, *SIZE, margin=0.2)] = False
    assert np.abs(plain - made)[far].max() <= GREY_LEVEL


def test_flipping_mirrors_the_mask() -> None:
    alone = replace(MEADOW, things=(replace(CAT, x=0.5),))
    mirrored = replace(MEADOW, things=(replace(CAT, x=0.5, flip=True),))
    first, second = (render_masks(scene, *SIZE)["t1"] for scene in (alone, mirrored))
    assert np.abs(first - second).max() > 0.5
    # Where the width in px is odd, the mirror image lies up to two pixels off.
    shifted = [np.roll(second[:, ::-1], shift, axis=1) for shift in (-2, -1, 0, 1, 2)]
    assert min(np.abs(first - other).mean() for other in shifted) < 0.002


@st.composite
def crowds(draw: st.DrawFn) -> Scene:
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
    things = tuple(
        Thing(
            f"t{i}",
            kind,
            x=draw(st.floats(-0.1, 1.1)),
            y=draw(st.floats(0.1, 1.2)),
            height=draw(st.floats(0.03, 0.8)),
            flip=draw(st.booleans()),
            ground=draw(st.none() | st.floats(0.5, 0.95)),
        )
        for i, kind in enumerate(kinds)
    )
    return Scene(seed=3, setting="desert", things=things)


@settings(max_examples=20, deadline=None)
@given(crowds(), st.sampled_from([(96, 96), (160, 64), (64, 160)]))
def test_masks_share_each_pixel(scene: Scene, size: tuple[int, int]) -> None:
    masks = render_masks(scene, *size)
    assert set(masks) == {thing.id for thing in scene.things}
    stack = np.stack(list(masks.values()))
    assert stack.min() >= 0
    assert stack.max() <= 1
    assert stack.sum(axis=0).max() <= 1 + 1e-5


@settings(max_examples=12, deadline=None)
@given(
    crowds(),
    st.sampled_from(SETTINGS),
    st.sampled_from(TIMES),
    st.sampled_from(WEATHERS),
    st.sampled_from([(256, 256), (400, 160), (160, 400)]),
)
def test_things_anywhere_render_at_any_shape(
    scene: Scene, setting: str, time: str, weather: str, size: tuple[int, int]
) -> None:
    picture = render(replace(scene, setting=setting, time=time, weather=weather), *size)
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_a_scene_looks_alike_at_two_sizes() -> None:
    small, large = render(MEADOW, 256, 256), render(MEADOW, 512, 512)
    reduced = cv2.resize(large, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(cv2.GaussianBlur(small - reduced, (0, 0), 3)).mean() < 0.03


def test_lamps_shine_at_night() -> None:
    tent = Thing("t1", "tent", x=0.5, y=0.8, height=0.25)
    night = Scene(seed=2, setting="forest", time="night", things=(tent,))
    shut = replace(night, things=(replace(tent, kind="umbrella"),))
    glow = render(night, *SIZE).mean() - render(shut, *SIZE).mean()
    assert glow > 0.002


@pytest.mark.parametrize("style", [style for style in STYLES if style != "render"])
def test_styles_change_a_photograph(photograph: np.ndarray, style: str) -> None:
    before = photograph.copy()
    styled = stylise(photograph, style, 5)
    assert np.array_equal(before, photograph)
    assert styled.shape == photograph.shape
    assert styled.dtype == np.float32
    assert np.isfinite(styled).all()
    assert styled.min() >= 0
    assert styled.max() <= 1
    assert np.abs(styled - photograph).mean() > 0.02
    assert np.array_equal(styled, stylise(photograph, style, 5))


@pytest.mark.parametrize("style", [style for style in STYLES if style != "render"])
def test_a_local_edit_stays_local_in_every_style(style: str) -> None:
    scene = replace(MEADOW, style=style)
    change = np.abs(render(scene, *SIZE) - render(replace(scene, things=(CAT, BALLOON)), *SIZE)).max(axis=2)
    far = np.ones(change.shape, bool)
    far[box(CAR, *SIZE, margin=0.25)] = False
    assert change[far].mean() <= GREY_LEVEL / 4
    assert change[box(CAR, *SIZE)].mean() > 0.03


@pytest.mark.parametrize("weather", [weather for weather in WEATHERS if weather != "clear"])
def test_weather_falls_on_a_photograph(photograph: np.ndarray, weather: str) -> None:
    before = photograph.copy()
    wet = np.clip(weather_over(photograph, weather, 5), 0, 1)
    assert np.array_equal(before, photograph)
    assert wet.dtype == np.float32
    assert np.abs(wet - photograph).mean() > 0.03


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_damage_grows_with_its_strength(photograph: np.ndarray, kind: str) -> None:
    losses = [float(((degrade(photograph, kind, s, 5) - photograph) ** 2).mean()) for s in (0.1, 0.5, 1.0)]
    assert 0 < losses[0] < losses[1] < losses[2]
    assert degrade(photograph, kind, 0.5, 5).dtype == np.float32


@pytest.mark.parametrize("kind", GRADES)
def test_grades_do_what_they_say(photograph: np.ndarray, kind: str) -> None:
    graded = grade(photograph, kind)
    assert graded.dtype == np.float32
    assert graded.min() >= 0
    assert graded.max() <= 1

    def warmth(image: np.ndarray) -> float:
        return float((image[..., 0] - image[..., 2]).mean())

    def colourfulness(image: np.ndarray) -> float:
        return float((image.max(axis=2) - image.min(axis=2)).mean())

    better = {
        "warmer": warmth(graded) > warmth(photograph) + 0.02,
        "cooler": warmth(graded) < warmth(photograph) - 0.02,
        "vivid": colourfulness(graded) > 1.15 * colourfulness(photograph),
        "muted": colourfulness(graded) < 0.7 * colourfulness(photograph),
        "brighter": graded.mean() > photograph.mean() + 0.03,
        "darker": graded.mean() < photograph.mean() - 0.03,
        "contrast": graded.std() > 1.1 * photograph.std(),
    }
    assert better[kind]
