"""A picture as it travels: encoded bytes and decoded pixels, each made from the other when first wanted."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg  # type: ignore[import-untyped]
from PIL import Image

from triptych.errors import PictureError
from triptych.records import ImageFormat, hash_bytes

Pixels = npt.NDArray[np.uint8]  # height × width × 3, sRGB

JPEG_QUALITY = 95  # at 4:4:4
MAX_MEGAPIXELS = 100.0  # larger pictures are refused from their header, before anything is decoded

_PNG_LEVEL = 1  # 2 gives files a tenth smaller at twice the time
_MEDIA_TYPES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"BM", "image/bmp"),
)
# What Pillow and simplejpeg raise on bytes that are damaged, cut short, or no picture at all.
DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error, TypeError, RuntimeError)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def media_type(data: bytes) -> str:
    """Media type by the first bytes; "application/octet-stream" where they are no picture's that we know."""
    for magic, name in _MEDIA_TYPES:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"avif", b"avis"):
            return "image/avif"
        if data[8:12] in _HEIF_BRANDS:
            return "image/heic"
    return "application/octet-stream"


def pixel_hash(pixels: Pixels) -> str:
    """Name of the decoded pixels, whatever file they came in.

    Hashed are width and height (little-endian uint32 each) and the RGB bytes, row by row.
    """
    height, width = pixels.shape[:2]
    head = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    return hash_bytes(head, np.ascontiguousarray(pixels).data)


def flattened(image: Image.Image) -> Image.Image:
    """The picture in RGB; anything see-through lies on white, as a page would show it."""
    if image.mode == "P" or image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


class Picture:
    """An RGB picture, immutable. Pickles as the bytes it was made from, so it is cheap to send to a worker.

    A picture made from pixels isn't yet the one that a run keeps: JPEG loses a little. Judge `stored(…)`.
    """

    __slots__ = ("_encoded", "_origin", "_pixels", "_size")

    def __init__(self, origin: Pixels | bytes) -> None:
        self._origin = origin
        self._encoded: dict[ImageFormat, bytes] = {}
        self._pixels: Pixels | None = None
        self._size: tuple[int, int] | None = None

    @classmethod
    def from_pixels(cls, pixels: Pixels) -> Picture:
        """A picture of these pixels (uint8, height × width × 3), which the caller no longer writes to."""
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise PictureError(
                f"a picture is uint8, height × width × 3, not empty; this is {pixels.dtype}, {pixels.shape}"
            )
        view = np.ascontiguousarray(pixels).view()
        view.flags.writeable = False
        picture = cls(view)
        picture._pixels = view
        picture._size = (view.shape[1], view.shape[0])
        return picture

    @classmethod
    def from_encoded(cls, data: bytes) -> Picture:
        """A picture from a file's bytes, decoded when first wanted.

        EXIF and colour profiles are not looked at: a user's photograph comes in through `read_photograph`.
        """
        return cls(bytes(data))

    @property
    def pixels(self) -> Pixels:
        """Decoded pixels, read-only. Raises PictureError where the bytes are no whole picture."""
        if self._pixels is None:
            assert isinstance(self._origin, bytes)  # noqa: S101  (pixels are set where the origin is pixels)
            width, height = self._measured()
            refuse_if_too_large(width, height)
            pixels = _decode(self._origin)
            pixels.flags.writeable = False
            self._pixels = pixels
        return self._pixels

    @property
    def width(self) -> int:
        """In pixels; read from the header, without decoding."""
        return self._measured()[0]

    @property
    def height(self) -> int:
        """In pixels; read from the header, without decoding."""
        return self._measured()[1]

    def encoded(self, image_format: ImageFormat) -> bytes:
        """The file's bytes in this format. A picture made from such bytes gives those very bytes back."""
        if isinstance(self._origin, bytes) and media_type(self._origin) == f"image/{image_format}":
            return self._origin
        data = self._encoded.get(image_format)
        if data is None:
            data = _encode_jpeg(self.pixels) if image_format == "jpeg" else _encode_png(self.pixels)
            self._encoded[image_format] = data
        return data

    def stored(self, image_format: ImageFormat) -> Picture:
        """This picture as a run keeps it: what its encoded bytes decode to."""
        data = self.encoded(image_format)
        return self if data is self._origin else Picture.from_encoded(data)

    def __reduce__(self) -> tuple[object, ...]:
        if isinstance(self._origin, bytes):
            return Picture.from_encoded, (self._origin,)
        return Picture._revived, (np.asarray(self._origin), self._encoded)

    @classmethod
    def _revived(cls, pixels: Pixels, encoded: dict[ImageFormat, bytes]) -> Picture:
        picture = cls.from_pixels(pixels)
        picture._encoded = encoded
        return picture

    def __repr__(self) -> str:
        origin = f"{len(self._origin)} bytes" if isinstance(self._origin, bytes) else "pixels"
        return f"Picture({origin})"

    def _measured(self) -> tuple[int, int]:
        if self._size is None:
            assert isinstance(self._origin, bytes)  # noqa: S101  (as above)
            self._size = _header_size(self._origin)
        return self._size


def refuse_if_too_large(width: int, height: int, max_megapixels: float = MAX_MEGAPIXELS) -> None:
    """Raises PictureError for a picture that is too large to decode safely."""
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise PictureError(
            f"{width}×{height} is {megapixels:.0f} megapixels, and at most {max_megapixels:.0f} are read:"
            " make it smaller"
        )


def _unreadable(data: bytes) -> PictureError:
    if not data:
        return PictureError("the picture is empty (0 bytes): make or fetch it again")
    kind = media_type(data)
    if kind == "application/octet-stream":
        return PictureError("these bytes are no picture: give a JPEG, PNG, WebP or TIFF file")
    return PictureError(f"this {kind} is damaged or cut short ({len(data)} bytes): make or fetch it again")


@contextmanager
def reading(data: bytes) -> Iterator[None]:
    """Turns what the decoders raise on damaged bytes into one PictureError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit decides
            yield
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"larger than {MAX_MEGAPIXELS:.0f} megapixels by far: make the picture smaller"
        ) from error
    except DECODER_ERRORS as error:
        raise _unreadable(data) from error


def _header_size(data: bytes) -> tuple[int, int]:
    with reading(data):
        if media_type(data) == "image/jpeg":
            height, width = simplejpeg.decode_jpeg_header(data)[:2]
            return int(width), int(height)
        with Image.open(io.BytesIO(data)) as image:
            return image.size


def _decode(data: bytes) -> Pixels:
    with reading(data):
        if media_type(data) == "image/jpeg" and simplejpeg.decode_jpeg_header(data)[2] != "CMYK":
            return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB"))
        with Image.open(io.BytesIO(data)) as image:
            return np.array(flattened(image), dtype=np.uint8)


def _encode_jpeg(pixels: Pixels) -> bytes:
    return bytes(
        simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY, colorspace="RGB", colorsubsampling="444")
    )


def _encode_png(pixels: Pixels) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    if not done:
        raise PictureError("the picture can't be encoded as PNG")
    return data.tobytes()
