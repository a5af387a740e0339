"""What a painted setting promises, whatever it shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.backends.studio import canvas
from triptych.backends.studio import settings as settings_of
from triptych.backends.studio.scene import (
    SEASONS,
    SETTINGS,
    TIMES,
    WEATHERS,
    Scene,
    Season,
    Setting,
    TimeOfDay,
    Weather,
)
from triptych.backends.studio.settings import BRIGHTEST, CACHE_BYTES, PAINTERS, STAGES, backdrop, stage

OUTDOORS: tuple[Setting, ...] = ("meadow", "beach", "lake", "desert", "forest", "city")


def paint(scene: Scene, width: int = 128, height: int = 128) -> canvas.Array:
    return settings_of.paint(scene, width, height).image


def edges(image: canvas.Array) -> canvas.Array:
    grey = cv2.createCLAHE(4.0, (4, 4)).apply(canvas.to_uint8(canvas.luminance(image)))
    return cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def likeness(a: canvas.Array, b: canvas.Array) -> float:
    return float(np.corrcoef(edges(a).ravel(), edges(b).ravel())[0, 1])


def test_every_setting_has_a_painter_and_a_stage() -> None:
    assert set(PAINTERS) == set(SETTINGS) == set(STAGES)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("width", "height"), [(80, 200), (96, 96), (200, 80), (61, 43)])
def test_sane_pixels_at_any_aspect_ratio(setting: Setting, width: int, height: int) -> None:
    image = paint(Scene(seed=11, setting=setting), width, height)
    assert image.shape == (height, width, 3)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0
    assert image.max() <= BRIGHTEST
    assert (image > 1.05).mean() < 0.05  # little is blown out
    assert 0.15 < image.mean() < 0.9
    assert image.std() > 0.05


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    setting=st.sampled_from(SETTINGS),
    time=st.sampled_from(TIMES),
    season=st.sampled_from(SEASONS),
    weather=st.sampled_from(WEATHERS),
    palette=st.integers(0, 11),
)
def test_a_scene_paints_the_same_twice(
    seed: int, setting: Setting, time: TimeOfDay, season: Season, weather: Weather, palette: int
) -> None:
    scene = Scene(seed=seed, setting=setting, time=time, season=season, weather=weather, palette=palette)
    first, second = paint(scene, 72, 60), paint(scene, 72, 60)
    assert np.isfinite(first).all()
    assert np.array_equal(first, second)


@pytest.mark.parametrize("setting", OUTDOORS)
def test_times_of_day_order_brightness(setting: Setting) -> None:
    mean = {time: float(paint(Scene(seed=5, setting=setting, time=time)).mean()) for time in TIMES}
    assert mean["day"] > mean["dusk"] > mean["night"]
    assert mean["dawn"] > mean["dusk"]
    assert mean["sunset"] > mean["dusk"]
    assert mean["night"] > 0.08  # dark, but to be read


@pytest.mark.parametrize("setting", SETTINGS)
def test_another_time_keeps_the_layout(setting: Setting) -> None:
    """Relighting moves nothing: the ground's edges stay where they were; another seed's don't."""
    day = paint(Scene(seed=5, setting=setting), 160, 160)[80:]
    dusk = paint(Scene(seed=5, setting=setting, time="dusk"), 160, 160)[80:]
    other = paint(Scene(seed=6, setting=setting), 160, 160)[80:]
    assert likeness(day, dusk) > 0.5
    if setting != "room":  # a room's furniture stands where it stands, whatever the seed
        assert likeness(day, dusk) > likeness(day, other)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_same_picture_at_another_size(setting: Setting) -> None:
    small = paint(Scene(seed=8, setting=setting), 160, 160)
    large = cv2.resize(
        paint(Scene(seed=8, setting=setting), 480, 480), (160, 160), interpolation=cv2.INTER_AREA
    )
    soft = [cv2.GaussianBlur(image, (0, 0), 3) for image in (small, large)]
    assert float(np.abs(soft[0] - soft[1]).mean()) < 0.035


def test_no_snow_lies_in_the_desert_nor_on_the_beach_for_the_season_alone() -> None:
    for setting, weathers in (("desert", WEATHERS), ("beach", ("clear", "rain", "fog"))):
        for weather in weathers:
            ground = paint(Scene(seed=3, setting=setting, season="winter", weather=weather))[100:]
            assert float((ground[..., 0] - ground[..., 2]).mean()) > 0.04, (
                setting,
                weather,
            )  # warm: sand, not snow


def test_snowfall_covers_a_summer_meadow() -> None:
    green = paint(Scene(seed=3, setting="meadow"))[90:]
    white = paint(Scene(seed=3, setting="meadow", weather="snow"))[90:]
    assert white.mean() > green.mean() + 0.2


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("width", "height"), [(640, 1600), (512, 512), (1600, 640)])
def test_stage_is_ordered_and_agrees_with_the_painted(setting: Setting, width: int, height: int) -> None:
    layout = stage(setting, width, height)
    assert 0 < layout.ground_far < layout.ground_near < 1
    assert 0 < layout.scale_far <= layout.scale_near
    painted = backdrop(Scene(seed=1, setting=setting), width // 10, height // 10)
    for field in layout.__dataclass_fields__:
        assert getattr(painted, field) == getattr(stage(setting, width, height), field), field


def test_backdrop_ignores_what_does_not_show_in_it_and_is_read_only() -> None:
    bare = backdrop(Scene(seed=4, setting="table"), 64, 64)
    assert backdrop(Scene(seed=4, setting="table", style="oil", grade="vivid"), 64, 64) is bare
    assert backdrop(Scene(seed=4, setting="table", palette=1), 64, 64) is not bare
    with pytest.raises(ValueError, match="read-only"):
        bare.image[0, 0] = 0


def test_cache_keeps_to_its_bytes() -> None:
    first = backdrop(Scene(seed=0, setting="underwater"), 900, 900)
    count = CACHE_BYTES // first.image.nbytes + 1
    for seed in range(1, count + 1):
        backdrop(Scene(seed=seed, setting="table", palette=8), 900, 900)
    assert backdrop(Scene(seed=0, setting="underwater"), 900, 900) is not first


@given(cells=st.sampled_from([2, 8, 32]), octaves=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_noise_tiles_without_a_seam(cells: int, octaves: int, seed: int) -> None:
    tile = canvas.fbm(canvas.generator(seed, "tile"), cells, octaves, size=128)
    inside = np.abs(np.diff(tile, axis=1)).max()
    assert np.abs(tile[:, 0] - tile[:, -1]).max() <= inside * 1.5
    assert np.abs(tile[0] - tile[-1]).max() <= np.abs(np.diff(tile, axis=0)).max() * 1.5
    assert tile.dtype == np.float32


def test_purposes_draw_apart() -> None:
    assert canvas.generator(1, "sky").random() == canvas.generator(1, "sky").random()
    assert canvas.generator(1, "sky").random() != canvas.generator(1, "sea").random()
    assert canvas.generator(1, "sky").random() != canvas.generator(2, "sky").random()
