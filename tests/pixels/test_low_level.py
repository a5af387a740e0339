import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from triptych.errors import PictureError
from triptych.pixels.low_level import change_mask, check_low_level, low_level


def component_areas(flagged: np.ndarray) -> list[int]:
    """Areas of the 4-connected components by flood fill: slow and plain."""
    left = {(int(row), int(column)) for row, column in np.argwhere(flagged)}
    areas = []
    while left:
        border, area = [left.pop()], 0
        while border:
            row, column = border.pop()
            area += 1
            for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if near in left:
                    left.remove(near)
                    border.append(near)
        areas.append(area)
    return areas


@settings(max_examples=150, deadline=None)
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14)))
def test_components_are_those_of_a_flood_fill(flagged):
    found = low_level(flagged.astype(np.uint8) * 255)
    areas = component_areas(flagged)
    assert found.flagged == sum(areas)
    assert found.changed_share == pytest.approx(flagged.mean())
    if areas:
        assert found.largest_share == pytest.approx(max(areas) / sum(areas))
    else:
        assert found.largest_share is None


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(np.uint8, (70, 5, 3), elements=st.integers(0, 255)),
    hnp.arrays(np.uint8, (70, 5, 3), elements=st.integers(0, 255)),
)
def test_a_pixel_is_flagged_where_any_channel_differs_by_more_than_40(source, edited):
    difference = np.abs(source.astype(int) - edited.astype(int))
    assert np.array_equal(change_mask(source, edited) > 0, (difference > 40).any(axis=2))


def test_40_is_not_a_change_and_41_is():
    source = np.full((10, 10, 3), 100, np.uint8)
    for step, flagged in ((40, 0), (41, 1)):
        edited = source.copy()
        edited[3, 3, 1] = 100 - step
        assert check_low_level(source, edited).flagged == flagged


def test_nothing_changed_is_its_own_case():
    picture = np.zeros((8, 8, 3), np.uint8)
    found = check_low_level(picture, picture)
    assert (found.changed_share, found.largest_share, found.flagged) == (0.0, None, 0)


def test_dust_has_a_small_largest_component_and_an_object_a_large_one():
    source = np.zeros((64, 64, 3), np.uint8)
    dust = source.copy()
    dust[::2, ::2] = 255  # 1024 lone pixels: the largest is 1 / 1024
    assert check_low_level(source, dust).largest_share == pytest.approx(1 / 1024)
    dust[1:5, 1:5] = 255
    assert check_low_level(source, dust).largest_share > 0.005


def test_corners_do_not_connect():
    source = np.zeros((4, 4, 3), np.uint8)
    edited = source.copy()
    edited[1, 1] = edited[2, 2] = 255
    assert check_low_level(source, edited).largest_share == 0.5


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(PictureError, match="differ in size"):
        check_low_level(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))
