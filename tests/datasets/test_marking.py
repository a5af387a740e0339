from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.datasets.made import picture
from triptych.datasets.marking import DIGITAL_SOURCE_TYPE, is_image, is_marked, marked
from triptych.pixels.picture import Picture
from triptych.records import ImageFormat, hash_bytes


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
def test_no_pixel_changes_and_readers_find_the_mark(image_format: ImageFormat) -> None:
    data = picture(3, image_format=image_format)
    published = marked(data)
    assert len(published) - len(data) < 600
    assert np.array_equal(Picture.from_encoded(published).pixels, Picture.from_encoded(data).pixels)
    with Image.open(io.BytesIO(published)) as image:
        image.load()
        packet = image.info["xmp"]
        assert DIGITAL_SOURCE_TYPE.encode() in packet
        found = image.getxmp()["xmpmeta"]["RDF"]["Description"] if _has_xml_reader() else None
    assert found is None or found["DigitalSourceType"] == DIGITAL_SOURCE_TYPE


def _has_xml_reader() -> bool:
    try:
        import defusedxml  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
def test_the_original_is_known_under_the_mark(image_format: ImageFormat) -> None:
    data = picture(4, image_format=image_format)
    name = hash_bytes(data)
    assert is_image(data, name)
    assert is_image(marked(data), name)
    assert is_image(memoryview(marked(data)), name)
    assert not is_image(marked(data)[:-1], name)
    assert not is_image(marked(picture(5, image_format=image_format)), name)
    assert (is_marked(data), is_marked(marked(data))) == (False, True)


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
def test_one_mark_is_enough(image_format: ImageFormat) -> None:
    data = marked(picture(6, image_format=image_format))
    assert marked(data) == data


def test_xmp_of_other_hands_is_left_alone() -> None:
    for kind in ("JPEG", "PNG"):
        out = io.BytesIO()
        image = Image.new("RGB", (20, 20), "red")
        if kind == "JPEG":
            image.save(out, kind, exif=Image.Exif(), comment=b"hello", xmp=b"<x:xmpmeta/>")
        else:
            info = PngImagePlugin.PngInfo()
            info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
            image.save(out, kind, pnginfo=info)
        assert marked(out.getvalue()) == out.getvalue()


def test_the_mark_stands_behind_jfif() -> None:
    out = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(out, "JPEG")  # Pillow writes JFIF
    published = marked(out.getvalue())
    assert published[2:4] == b"\xff\xe0"
    (length,) = struct.unpack(">H", published[4:6])
    assert published[4 + length : 6 + length] == b"\xff\xe1"


@settings(max_examples=200)
@given(st.binary(max_size=40), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"]))
def test_whatever_is_no_picture_is_known_again_too(tail: bytes, head: bytes) -> None:
    data = head + tail
    assert is_image(marked(data), hash_bytes(data))
