import io
import pickle

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from triptych.errors import PictureError
from triptych.pixels.picture import Picture, media_type, pixel_hash


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded_by_pillow(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_png_loses_nothing(height, width, seed):
    pixels = noise(height, width, seed)
    stored = Picture.from_pixels(pixels).stored("png")
    assert (stored.width, stored.height) == (width, height)
    assert np.array_equal(stored.pixels, pixels)


def test_jpeg_is_quality_95_without_chroma_subsampling():
    flat = np.full((32, 48, 3), (200, 40, 90), dtype=np.uint8)
    data = Picture.from_pixels(flat).encoded("jpeg")
    assert simplejpeg.decode_jpeg_header(data) == (32, 48, "YCbCr", "444")
    with Image.open(io.BytesIO(data)) as read:
        reference = Image.open(io.BytesIO(encoded_by_pillow(Image.fromarray(flat), "JPEG", quality=95)))
        assert read.quantization == reference.quantization
    assert np.abs(Picture.from_encoded(data).pixels.astype(int) - flat).max() <= 3


def test_bytes_of_the_right_format_come_back_untouched():
    picture = Picture.from_pixels(noise(20, 30))
    for image_format in ("jpeg", "png"):
        data = picture.encoded(image_format)
        again = Picture.from_encoded(data)
        assert again.encoded(image_format) == data
        assert again.stored(image_format) is again
        assert picture.encoded(image_format) is data, "encoded once"


def test_a_stored_picture_is_what_its_bytes_decode_to():
    picture = Picture.from_pixels(noise(20, 30))
    stored = picture.stored("jpeg")
    assert not np.array_equal(stored.pixels, picture.pixels)
    assert np.array_equal(stored.pixels, Picture.from_encoded(picture.encoded("jpeg")).pixels)


def test_pixels_are_read_only_and_decoded_once():
    picture = Picture.from_encoded(Picture.from_pixels(noise(8, 8)).encoded("jpeg"))
    assert picture.pixels is picture.pixels
    with pytest.raises(ValueError, match="read-only"):
        picture.pixels[0, 0] = 0
    own = noise(8, 8)
    with pytest.raises(ValueError, match="read-only"):
        Picture.from_pixels(own).pixels[0, 0] = 0
    own[0, 0] = 0  # the caller's own array is left as it was


def test_a_picture_is_pickled_as_its_bytes():
    made = Picture.from_pixels(noise(64, 64))
    from_bytes = made.stored("jpeg")
    assert from_bytes.pixels.shape == (64, 64, 3)
    assert len(pickle.dumps(from_bytes)) < len(made.encoded("jpeg")) + 200
    assert np.array_equal(pickle.loads(pickle.dumps(from_bytes)).pixels, from_bytes.pixels)
    assert np.array_equal(pickle.loads(pickle.dumps(made)).pixels, made.pixels)


def test_size_is_known_from_the_header_alone():
    data = Picture.from_pixels(noise(64, 96)).encoded("jpeg")
    cut = Picture.from_encoded(data[: len(data) // 2])
    assert (cut.width, cut.height) == (96, 64)
    with pytest.raises(PictureError, match="cut short"):
        _ = cut.pixels


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_other_formats_and_modes_are_read(image_format):
    image = Image.new("RGB", (12, 10), (10, 200, 30))
    data = encoded_by_pillow(image, image_format)
    assert media_type(data) == f"image/{image_format.lower()}"
    difference = np.abs(Picture.from_encoded(data).pixels.astype(int) - np.asarray(image))
    assert difference.max() <= 4
    assert media_type(Picture.from_encoded(data).encoded("png")) == "image/png"


def test_transparency_lies_on_white():
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    pixels = Picture.from_encoded(encoded_by_pillow(image, "PNG")).pixels
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 1].tolist() == [127, 127, 127]


def test_greyscale_and_cmyk_jpegs_are_read():
    grey = Picture.from_encoded(encoded_by_pillow(Image.new("L", (9, 9), 77), "JPEG")).pixels
    assert np.abs(grey.astype(int) - 77).max() <= 1
    cmyk = encoded_by_pillow(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG")
    assert np.abs(Picture.from_encoded(cmyk).pixels.astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes"),
        (b"just some text", "no picture"),
        (b"\xff\xd8\xff\xe0 not really", "damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut short"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(data, says):
    for ask in (lambda picture: picture.pixels, lambda picture: picture.width):
        with pytest.raises(PictureError, match=says) as caught:
            ask(Picture.from_encoded(data))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_arrays_that_are_no_rgb_picture_are_refused(pixels):
    with pytest.raises(PictureError, match="uint8"):
        Picture.from_pixels(pixels)


def test_pixel_hash_knows_shape_and_content():
    flat = np.zeros((4, 6, 3), np.uint8)
    assert pixel_hash(flat) == pixel_hash(flat.copy())
    assert len({pixel_hash(flat), pixel_hash(flat.reshape(6, 4, 3)), pixel_hash(flat + 1)}) == 3
    assert pixel_hash(noise(8, 8)[:, ::2]) == pixel_hash(noise(8, 8)[:, ::2].copy())
