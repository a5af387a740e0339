"""Pictures as servers send them: what form they came in, and what becomes of one of another size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import orjson

from triptych.backends.prompts.showing import shown
from triptych.errors import ModelError, PictureError
from triptych.pixels.photographs import fit
from triptych.pixels.picture import Picture, media_type
from triptych.pixels.sizes import Size
from triptych.records import Receipt

# refuse: it failed. scale: resampled where its shape is the one asked for, else it failed. crop: a painted
# picture is cut to the shape first; an edit never is, or it would no longer lie on its source.
AspectHandling = Literal["refuse", "scale", "crop"]

_SAME_SHAPE = 0.02  # by which the aspect ratio may be off: servers round sides to multiples of 16
_LOSSLESS = frozenset({"image/png", "image/bmp", "image/tiff"})


@dataclass(frozen=True, slots=True)
class Note:
    """The form of a file that was received."""

    media: str
    width: int
    height: int
    lossless: bool

    def on(self, receipt: Receipt, *, lossless_wanted: bool, who: str) -> Receipt:
        """The receipt with this noted, and a warning where an edit came in a form that changes pixels."""
        raw = orjson.dumps({"format": self.media, "width": self.width, "height": self.height}).decode()
        warning = None
        if lossless_wanted and not self.lossless:
            form = self.media.removeprefix("image/").upper()
            warning = f"{who} answers in {form}: that changes pixels no edit touched; ask its server for PNG"
        return replace(receipt, raw=raw, warning=warning)


def received(data: bytes) -> Picture:
    """The picture in these bytes. ModelError where they hold none."""
    picture = Picture.from_encoded(data)
    try:
        _ = picture.pixels
    except PictureError as error:
        raise ModelError("unreadable_picture", str(error)) from None
    return picture


def note_of(data: bytes) -> Note:
    """The form of the file. ModelError where it is no picture."""
    picture = received(data)
    media = media_type(data)
    lossless = media in _LOSSLESS or (media == "image/webp" and b"VP8L" in data[:64])
    return Note(media, picture.width, picture.height, lossless)


def fitted(picture: Picture, size: Size, handling: AspectHandling, *, exact_content: bool) -> Picture:
    """The picture at the size asked for, by the role's rule; ModelError where it may not be brought to it."""
    if (picture.width, picture.height) == (size.width, size.height):
        return picture
    asked = f"asked for {size.width}x{size.height}, got {picture.width}x{picture.height}"
    if handling == "refuse":
        raise ModelError("wrong_size", asked)
    if abs(picture.width / picture.height / size.aspect - 1) <= _SAME_SHAPE:
        return shown(picture, (size.width, size.height))
    if handling == "crop" and not exact_content:
        return Picture.from_pixels(fit(picture.pixels, size, "crop"))
    raise ModelError("wrong_shape", asked)
