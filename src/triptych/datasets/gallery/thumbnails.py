"""Small pictures to embed, decoded no larger than they need to be."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg  # type: ignore[import-untyped]

from triptych.errors import PictureError
from triptych.pixels.picture import Picture, media_type

LONGEST_SIDE = 360  # pixels
_QUALITY = 80


def thumbnail(data: bytes) -> bytes:
    """A JPEG of a picture, its longest side at most 360 pixels. PictureError where it can't be read."""
    small = _decoded(data)
    height, width = small.shape[:2]
    shrink = LONGEST_SIDE / max(width, height)
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return bytes(
        simplejpeg.encode_jpeg(
            np.ascontiguousarray(small), quality=_QUALITY, colorspace="RGB", colorsubsampling="420"
        )
    )


def _decoded(data: bytes) -> npt.NDArray[np.uint8]:
    """RGB pixels; of a JPEG the smallest reduction, in eighths, that is still large enough."""
    if media_type(data) != "image/jpeg":
        return Picture.from_encoded(data).pixels
    try:
        height, width = simplejpeg.decode_jpeg_header(data)[:2]
        shrink = min(1.0, LONGEST_SIDE / max(width, height))
        return np.asarray(
            simplejpeg.decode_jpeg(
                data,
                colorspace="RGB",
                fastdct=True,
                min_height=max(1, int(height * shrink)),
                min_width=max(1, int(width * shrink)),
            )
        )
    except ValueError as error:
        raise PictureError(f"the picture can't be read ({error})") from error
