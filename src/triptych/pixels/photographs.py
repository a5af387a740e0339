"""Reading users' own photographs, whatever they come in, as upright 8-bit sRGB pixels.

Rules: EXIF orientation is applied; an ICC profile is converted to sRGB (perceptual intent), without one the
colours are taken as sRGB; what is see-through lies on white; 16 bits keep their upper 8. The first page of a
TIFF is read; an animation is refused. Broken EXIF or a broken profile is left aside, and a note says so.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms

from triptych.errors import PictureError, UserError
from triptych.pixels.picture import (
    DECODER_ERRORS,
    MAX_MEGAPIXELS,
    Picture,
    Pixels,
    flattened,
    media_type,
    pixel_hash,
    reading,
    refuse_if_too_large,
)
from triptych.pixels.sizes import Size

EXTENSIONS: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".gif", ".bmp"}
)
Fitting = Literal["crop", "pad"]

_READABLE = "JPEG, PNG, WebP, TIFF or HEIC"
_MOVING = frozenset({"GIF", "WEBP", "PNG", "AVIF"})  # elsewhere a second frame is a page or a thumbnail
_UPRIGHT: dict[int, Image.Transpose] = {  # by EXIF orientation; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PROFILE_MODES = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L"}  # colour space of a profile → Pillow's mode


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A photograph as it was read."""

    path: Path
    pixels: Pixels  # upright, sRGB
    notes: tuple[str, ...] = ()  # what was odd about the file and how it was taken

    @property
    def pixels_hash(self) -> str:
        """The same for two files that show the same pixels, whatever their format."""
        return pixel_hash(self.pixels)


def read_photograph(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photograph:
    """Reads one file. Raises PictureError, one line that names the file and the mend.

    Larger pictures than `max_megapixels` are refused from the header alone; Pillow's own limit is 178.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror or error
        raise PictureError(f"{path}: can't be read ({why}): check the path and its rights") from error
    try:
        pixels, notes = _read(data, max_megapixels)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error
    return Photograph(path, pixels, notes)


def as_stored(data: bytes) -> bytes:
    """The file of a picture as a run can keep it: upright, sRGB, JPEG or PNG. Raises PictureError.

    A JPEG or PNG that is so already stays as it is; anything else becomes a PNG of its pixels.
    """
    if _is_plain(data):
        _ = Picture.from_encoded(data).pixels  # is it whole?
        return data
    pixels, _ = _read(data, MAX_MEGAPIXELS)
    return Picture.from_pixels(pixels).encoded("png")


def _is_plain(data: bytes) -> bool:
    """Whether the file is an upright 8-bit RGB JPEG or PNG without a colour profile, by its header."""
    if media_type(data) not in ("image/jpeg", "image/png"):
        return False
    with reading(data), Image.open(io.BytesIO(data)) as image:
        odd = {"icc_profile", "transparency"} & set(image.info)
        return (
            image.mode == "RGB"
            and not odd
            and getattr(image, "n_frames", 1) == 1
            and image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        )


def find_photographs(folder: Path) -> list[Path]:
    """All photographs in a folder and below, by extension, in order of their paths; hidden ones skipped."""
    if not folder.exists():
        raise UserError(f"{folder}: no such folder: name the one that holds your photographs")
    if not folder.is_dir():
        raise UserError(f"{folder}: a file, not a folder: name the folder that it lies in")
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    if not found:
        raise UserError(
            f"{folder}: no photographs in it: put {_READABLE} files there, or name another folder"
        )
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def duplicates(hashes: Iterable[tuple[Path, str]]) -> dict[Path, Path]:
    """Each file whose pixels came before, with the file that they came in first; from (path, pixels_hash)."""
    first: dict[str, Path] = {}
    again: dict[Path, Path] = {}
    for path, pixels in hashes:
        if pixels in first:
            again[path] = first[pixels]
        else:
            first[pixels] = path
    return again


def fit(pixels: Pixels, size: Size, how: Fitting) -> Pixels:
    """The picture at exactly this size, its aspect ratio kept.

    "crop" fills the size and cuts off what sticks out, equally on both sides. "pad" shows the whole picture
    between bars of one colour, the median of its border.
    """
    if how == "crop":
        return _resampled(_cropped(pixels, size.aspect), size.width, size.height)
    height, width = pixels.shape[:2]
    scale = min(size.width / width, size.height / height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    scaled = _resampled(pixels, across, down)
    border = np.concatenate([scaled[0], scaled[-1], scaled[:, 0], scaled[:, -1]])
    padded = np.empty((size.height, size.width, 3), dtype=np.uint8)
    padded[:] = np.median(border, axis=0).astype(np.uint8)
    left, top = (size.width - across) // 2, (size.height - down) // 2
    padded[top : top + down, left : left + across] = scaled
    return padded


def _cropped(pixels: Pixels, aspect: float) -> Pixels:
    """The largest centred part of this aspect ratio, to the nearest pixel."""
    height, width = pixels.shape[:2]
    across, down = min(width, max(1, round(height * aspect))), min(height, max(1, round(width / aspect)))
    left, top = (width - across) // 2, (height - down) // 2
    return pixels[top : top + down, left : left + across]


def _resampled(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)
    shrinks = width * height < pixels.shape[0] * pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), dtype=np.uint8)


def _read(data: bytes, max_megapixels: float) -> tuple[Pixels, tuple[str, ...]]:
    if not data:
        raise PictureError("empty, 0 bytes: copy it again")
    kind = media_type(data)
    if kind == "application/octet-stream":
        raise PictureError(f"no picture, whatever its name says: give a {_READABLE} file")
    if kind == "image/heic":
        _learn_heic()
    notes: list[str] = []
    with (
        reading(data),
        warnings.catch_warnings(record=True, action="always") as told,
        Image.open(io.BytesIO(data)) as image,
    ):
        refuse_if_too_large(*image.size, max_megapixels)
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format in _MOVING:
            raise PictureError(f"an animation of {frames} frames: save the frame you want as a PNG")
        if frames > 1 and image.format == "TIFF":
            notes.append(f"first of {frames} pages")
        image.load()
        orientation = _orientation(image, notes)
        rgb = _in_srgb(_in_8_bits(image), image.info.get("icc_profile"), notes)
    if any("EXIF" in str(warning.message) for warning in told) and not notes:
        notes.append("broken EXIF: taken as upright")
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return np.array(rgb, dtype=np.uint8), tuple(notes)


def _learn_heic() -> None:
    try:
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise PictureError("HEIC needs one more package: pip install 'triptych[heic]'") from error
    register_heif_opener()


def _orientation(image: Image.Image, notes: list[str]) -> int:
    """EXIF orientation, 1..8. Asked after loading: Pillow turns TIFF and HEIC itself, and then says 1."""
    try:
        exif = image.getexif()
        value = exif.get(ExifTags.Base.Orientation, 1)
        if not exif and len(image.info.get("exif", b"")) > len(b"Exif\0\0"):
            raise SyntaxError("EXIF that holds no entry that can be read")
    except DECODER_ERRORS:
        notes.append("broken EXIF: taken as upright")
        return 1
    if value in range(1, 9):
        return int(value)
    notes.append(f"EXIF orientation {value!r} means nothing: taken as upright")
    return 1


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Deep greys brought to 8 bits. Pillow does so itself for deep colour, but clips deep greys to white."""
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > 65535:
            raise PictureError("more than 16 bits a pixel: export it with 8 or 16")
        return Image.fromarray((deep >> 8).astype(np.uint8))
    if image.mode == "F":
        raise PictureError("pixels are floating-point numbers: export it with 8 or 16 bits")
    return image


def _in_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    if image.mode == "LAB":
        return _converted(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), notes)
    if not profile:
        if image.mode == "CMYK":
            notes.append("CMYK without a colour profile: converted by plain arithmetic")
        return flattened(image)
    try:
        described = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = described.profile.xcolor_space
        name = ImageCms.getProfileDescription(described)
    except (ImageCms.PyCMSError, OSError):
        notes.append("broken colour profile: taken as sRGB")
        return flattened(image)
    mode = _PROFILE_MODES.get(space)
    if mode is None or (mode == "CMYK") != (image.mode == "CMYK"):
        notes.append(f"colour profile of another kind of picture ({space.strip()}): left aside")
        return flattened(image)
    if "sRGB" in name:
        return flattened(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    # Palette and see-through modes lose their extras first; CMYK never passes through RGB.
    bare = image if image.mode == mode else image.convert("RGB").convert(mode)
    converted = _converted(bare, described, notes)
    if alpha is None:
        return converted
    converted.putalpha(alpha)
    return flattened(converted)


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile, notes: list[str]) -> Image.Image:
    try:
        converted = ImageCms.profileToProfile(
            image,
            profile,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.PERCEPTUAL,
            outputMode="RGB",
        )
    except ImageCms.PyCMSError:
        converted = None
    if converted is None:
        notes.append("colour profile can't be used: taken as sRGB")
        return flattened(image)
    return converted
