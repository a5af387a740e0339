"""Registration, drift and sharpness, on a drawn scene whose changes are known."""

import cv2
import numpy as np
import pytest

from triptych.pixels.picture import Picture, Pixels
from triptych.pixels.registration import Reference, Registration, Unregistered, register, working_factor
from triptych.pixels.signals import measure


def scene(seed: int = 3, side: int = 512) -> Pixels:
    """Overlapping blobs and boxes of all sizes with a little grain: texture everywhere."""
    random = np.random.default_rng(seed)
    picture = np.full((side, side, 3), 128, np.uint8)
    for _ in range(260):
        at = tuple(int(value) for value in random.integers(0, side, 2))
        colour = tuple(int(value) for value in random.integers(20, 236, 3))
        radius = int(random.integers(4, 40))
        if random.random() < 0.5:
            cv2.circle(picture, at, radius, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, at, (at[0] + radius, at[1] + radius), colour, -1)
    grain = random.normal(0, 2, picture.shape)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 0.8) + grain, 0, 255).astype(np.uint8)


def moved(picture: Pixels, dx: float = 0, dy: float = 0, zoom: float = 0) -> Pixels:
    side = picture.shape[0]
    scale, centre = 1 + zoom / 100, (side - 1) / 2
    offset = centre - scale * centre
    matrix = np.array([[scale, 0, offset + dx], [0, scale, offset + dy]], np.float32)
    warped = cv2.warpAffine(
        picture, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(warped, np.uint8)


def with_object(picture: Pixels) -> Pixels:
    edited = picture.copy()
    cv2.circle(edited, (200, 260), 90, (230, 30, 40), -1, cv2.LINE_AA)
    return edited


def tinted(picture: Pixels) -> Pixels:
    return np.clip(picture * np.array([1.06, 1.0, 0.93]) + (6, 0, -5), 0, 255).astype(np.uint8)


def as_stored(picture: Pixels) -> Pixels:
    return Picture.from_pixels(picture).stored("jpeg").pixels


def registered(source: Pixels, edited: Pixels) -> Registration | Unregistered:
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (as_stored(source), as_stored(edited))]
    return register(Reference(grey[0]), grey[1], 1)


@pytest.mark.parametrize("change", [lambda p: p, with_object, lambda p: tinted(with_object(p))])
@pytest.mark.parametrize(
    ("dx", "dy", "zoom"), [(0, 0, 0), (0.4, -0.7, 0), (3.3, 5, 0), (0, 0, 1.2), (-2, 1, -2)]
)
def test_shift_and_zoom_outside_the_edit_are_found(change, dx, dy, zoom):
    source = scene()
    found = registered(source, moved(change(source), dx, dy, zoom))
    assert isinstance(found, Registration)
    assert found.dx == pytest.approx(dx, abs=0.1)
    assert found.dy == pytest.approx(dy, abs=0.1)
    assert found.zoom == pytest.approx(zoom, abs=0.1)


def test_a_larger_picture_is_measured_in_its_own_pixels():
    source = scene(side=1024)
    signals = measure(source, moved(source, 3, -2))
    assert signals["registration.dx"] == pytest.approx(3, abs=0.1)
    assert signals["registration.dy"] == pytest.approx(-2, abs=0.1)
    assert working_factor(1024, 1024) == 2
    assert working_factor(512, 512) == working_factor(320, 800) == 1


def test_an_unrelated_picture_is_unknown_not_unmoved():
    found = registered(scene(3), scene(4))
    assert found == Unregistered("too_little_unchanged")
    assert not [name for name in measure(scene(3), scene(4)) if name.startswith("registration")]


def test_a_picture_without_texture_is_unknown():
    flat = np.full((256, 256, 3), 90, np.uint8)
    assert registered(flat, flat) == Unregistered("too_little_texture")
    signals = measure(flat, flat)
    assert not [name for name in signals if name.startswith(("registration", "sharpness"))]
    assert signals["drift.colour"] == 0


def test_an_unchanged_picture_shows_no_signal():
    source = scene()
    assert measure(source, source) == pytest.approx(
        {
            "low_level.changed_share": 0,
            "registration.dx": 0,
            "registration.dy": 0,
            "registration.shift": 0,
            "registration.zoom": 0,
            "drift.lightness": 0,
            "drift.cast": 0,
            "drift.colour": 0,
            "sharpness.ratio": 1,
        },
        abs=1e-3,
    )


def test_a_local_edit_leaves_the_outside_signals_quiet():
    source = as_stored(scene())
    signals = measure(source, as_stored(with_object(source)))
    assert signals["low_level.largest_share"] > 0.5
    assert signals["registration.shift"] < 0.1
    assert signals["drift.colour"] < 0.5
    assert signals["sharpness.ratio"] == pytest.approx(1, abs=0.05)


def test_blur_and_drift_outside_the_edit_are_seen():
    source = scene()
    blurred = with_object(np.asarray(cv2.GaussianBlur(source, (0, 0), 1.2), np.uint8))
    assert measure(source, blurred)["sharpness.ratio"] < 0.75
    drifted = measure(source, tinted(with_object(source)))
    assert drifted["drift.cast"] > 3
    darker = measure(source, np.asarray(cv2.convertScaleAbs(source, alpha=0.9), np.uint8))
    assert -8 < darker["drift.lightness"] < -3


def test_where_all_is_changed_drift_and_sharpness_are_unknown():
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    assert measure(black, white) == {"low_level.changed_share": 1.0, "low_level.largest_share": 1.0}


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 3), (17, 200), (640, 1600), (352, 736)])
def test_any_size_can_be_measured(width, height):
    random = np.random.default_rng(0)
    source, edited = random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    signals = measure(source, edited)
    assert 0 <= signals["low_level.changed_share"] <= 1
    assert all(np.isfinite(value) for value in signals.values())


def test_a_scene_turned_to_night_is_still_registered():
    source = scene()
    night = np.clip(moved(source, 1.5, -2) * np.array([0.25, 0.28, 0.4]) + (2, 4, 14), 0, 255).astype(
        np.uint8
    )
    found = registered(source, night)
    assert isinstance(found, Registration)
    assert (found.dx, found.dy) == pytest.approx((1.5, -2), abs=0.1)
