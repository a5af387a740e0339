import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.pixels.sizes import SIDE_STEP, SIZES, Size, nearest, scaled


def test_there_are_26_of_about_a_megapixel():
    assert len(SIZES) == 26
    assert len({size.aspect for size in SIZES}) == 26
    assert SIZES[0] == Size(640, 1600)
    assert SIZES[-1] == Size(1600, 640)
    assert all(0.9 < size.megapixels < 1.06 for size in SIZES)


def test_a_quarter_megapixel_is_exact_halves():
    assert [scaled(size, 0.25) for size in SIZES] == [Size(s.width // 2, s.height // 2) for s in SIZES]
    assert [scaled(size, 1.0) for size in SIZES] == list(SIZES)


@given(st.floats(0.1, 4.0))
def test_scaling_keeps_the_sizes_apart_and_the_aspect_ratio(megapixels):
    sizes = [scaled(size, megapixels) for size in SIZES]
    assert len(set(sizes)) == 26
    for before, after in zip(SIZES, sizes, strict=True):
        assert after.width % SIDE_STEP == 0
        assert after.height % SIDE_STEP == 0
        assert after.aspect == pytest.approx(before.aspect, rel=0.025)
        assert after.megapixels == pytest.approx(megapixels * before.megapixels, rel=0.2)


@given(st.sampled_from(SIZES), st.integers(1, 5))
def test_the_nearest_size_of_a_size_is_itself(size, times):
    assert nearest(size.width * times, size.height * times) == size
    assert nearest(size.width, size.height, 0.25) == scaled(size, 0.25)


def test_the_nearest_size_goes_by_aspect_ratio():
    assert nearest(3000, 3000) == Size(1024, 1024)
    assert nearest(6000, 1000) == Size(1600, 640)
    assert nearest(1000, 6000) == Size(640, 1600)
    assert nearest(768, 512) == Size(1216, 832)
    with pytest.raises(ValueError, match="above 0"):
        nearest(0, 10)
