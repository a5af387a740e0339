import contextlib
import random
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from triptych.errors import PictureError, UserError
from triptych.pixels.photographs import duplicates, find_photographs, fit, read_photograph
from triptych.pixels.sizes import SIZES, Size, nearest, scaled

PHOTOGRAPHS = Path(__file__).parents[2].parent / "shared" / "data" / "photos"
TURNS = {  # what a camera did to the upright picture, by the orientation it then writes
    1: lambda picture: picture,
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.transpose(1, 0, 2),
    6: lambda picture: np.rot90(picture, 1),
    7: lambda picture: picture[::-1, ::-1].transpose(1, 0, 2),
    8: lambda picture: np.rot90(picture, -1),
}


def corners(height: int = 24, width: int = 40) -> np.ndarray:
    """A picture whose four quarters differ: no two turns of it look alike."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (220, 30, 30)
    picture[: height // 2, width // 2 :] = (30, 200, 60)
    picture[height // 2 :, : width // 2] = (40, 60, 210)
    picture[height // 2 :, width // 2 :] = (240, 230, 60)
    return picture


def wrong_by(found: np.ndarray, expected: np.ndarray) -> int:
    assert found.shape == expected.shape
    return int(np.abs(found.astype(int) - expected.astype(int)).max())


def save(path: Path, picture: np.ndarray | Image.Image, **options: object) -> Path:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, **options)
    return path


def exif(orientation: object) -> Image.Exif:
    data = Image.Exif()
    data[ExifTags.Base.Orientation] = orientation
    return data


# ---- Upright ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "jpg"])
def test_every_orientation_comes_out_upright(tmp_path, suffix, orientation):
    turned = np.ascontiguousarray(TURNS[orientation](corners()))
    options = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}.get(suffix, {})
    path = save(tmp_path / f"p.{suffix}", turned, exif=exif(orientation), **options)
    photograph = read_photograph(path)
    inner = np.s_[2:-2, 2:-2] if suffix == "jpg" else np.s_[:]
    assert wrong_by(photograph.pixels[inner], corners()[inner]) <= (90 if suffix == "jpg" else 0)
    assert photograph.pixels[2, 2].astype(int) == pytest.approx([220, 30, 30], abs=6)
    assert photograph.notes == ()


@pytest.mark.skipif(not (PHOTOGRAPHS / "exif_orientation").is_dir(), reason="the photographs aren't here")
@pytest.mark.parametrize("kind", ["landscape", "portrait"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_photographs_come_out_upright(kind, orientation):
    def small(number: int) -> np.ndarray:
        pixels = read_photograph(PHOTOGRAPHS / "exif_orientation" / f"{kind}_{number}.jpg").pixels
        return cv2.resize(pixels, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA).astype(int)

    upright, found = small(1), small(orientation)
    assert found.shape == upright.shape
    same = np.abs(found - upright).mean()
    others = [np.abs(turn(found) - upright).mean() for turn in (TURNS[2], TURNS[3], TURNS[4])]
    assert same < 12
    assert same < 0.5 * min(others)


# ---- Colour ----------------------------------------------------------------------------------------------


def profile_with_red_and_green_swapped() -> bytes:
    """An RGB profile unlike sRGB: Pillow's own sRGB with its red and green primaries swapped."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    at = {profile[132 + 12 * i : 136 + 12 * i].decode(): 132 + 12 * i for i in range(count)}
    red, green = at["rXYZ"], at["gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
def test_a_colour_profile_is_converted(tmp_path, suffix):
    red = np.zeros((8, 8, 3), np.uint8)
    red[:] = (200, 0, 0)
    profile = profile_with_red_and_green_swapped()
    green = read_photograph(save(tmp_path / f"p.{suffix}", red, icc_profile=profile)).pixels
    assert green[4, 4].astype(int) == pytest.approx([0, 200, 0], abs=12)


def test_a_colour_profile_leaves_transparency_alone(tmp_path):
    image = Image.new("RGBA", (4, 1), (200, 0, 0, 255))
    image.putpixel((0, 0), (200, 0, 0, 0))
    pixels = read_photograph(
        save(tmp_path / "p.png", image, icc_profile=profile_with_red_and_green_swapped())
    ).pixels
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 2].astype(int) == pytest.approx([0, 200, 0], abs=12)


def test_the_srgb_profile_changes_nothing_and_a_broken_one_is_noted(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    read = read_photograph(save(tmp_path / "a.png", corners(), icc_profile=srgb))
    assert wrong_by(read.pixels, corners()) == 0
    read = read_photograph(save(tmp_path / "b.png", corners(), icc_profile=b"not a profile"))
    assert wrong_by(read.pixels, corners()) == 0
    assert read.notes == ("broken colour profile: taken as sRGB",)
    grey = save(tmp_path / "c.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), icc_profile=srgb)
    assert "another kind of picture" in read_photograph(grey).notes[0]


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
def test_cmyk_is_converted(tmp_path, suffix):
    # Pillow writes CMYK JPEGs inverted with Adobe's marker, as Photoshop does.
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    read = read_photograph(save(tmp_path / f"p.{suffix}", image))
    assert wrong_by(read.pixels, np.full((16, 16, 3), (255, 0, 0))) <= 3
    assert read.notes == ("CMYK without a colour profile: converted by plain arithmetic",)


def test_16_bit_pictures_keep_their_upper_8(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    expected = np.repeat((ramp >> 8).astype(np.uint8)[..., None], 3, axis=2)
    for suffix in ("png", "tiff"):
        grey = tmp_path / f"grey.{suffix}"
        assert cv2.imwrite(str(grey), ramp)
        assert wrong_by(read_photograph(grey).pixels, expected) <= 1
        colour = tmp_path / f"colour.{suffix}"
        assert cv2.imwrite(str(colour), np.dstack([ramp, ramp[::-1], ramp.T]))
        red_green_blue = np.dstack([ramp.T, ramp[::-1], ramp]) >> 8
        assert wrong_by(read_photograph(colour).pixels, red_green_blue) <= 1


def test_greyscale_palette_and_bilevel(tmp_path):
    grey = read_photograph(save(tmp_path / "l.png", Image.new("L", (5, 4), 99))).pixels
    assert wrong_by(grey, np.full((4, 5, 3), 99)) == 0
    palette = Image.fromarray(corners()).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    assert wrong_by(read_photograph(save(tmp_path / "p.png", palette)).pixels, corners()) <= 8
    assert wrong_by(read_photograph(save(tmp_path / "p.gif", palette)).pixels, corners()) <= 8
    bilevel = read_photograph(save(tmp_path / "b.png", Image.new("1", (5, 4), 1))).pixels
    assert wrong_by(bilevel, np.full((4, 5, 3), 255)) == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_see_through_lies_on_white(tmp_path, mode):
    image = Image.new("RGBA", (4, 4), (10, 10, 10, 0)).convert(mode)
    options = {"transparency": 0} if mode == "P" else {}
    pixels = read_photograph(save(tmp_path / "p.png", image, **options)).pixels
    assert wrong_by(pixels, np.full((4, 4, 3), 255)) == 0


# ---- Odd and bad files -----------------------------------------------------------------------------------


def refusal(path: Path, **options: float) -> str:
    with pytest.raises(PictureError) as caught:
        read_photograph(path, **options)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 999))
        + chunk(b"IEND", b"")
    )


def test_bombs_are_refused_from_their_header(tmp_path):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_of(20000, 10000))
    assert "megapixels" in refusal(bomb)
    bomb.write_bytes(png_of(12000, 9000))
    assert "108 megapixels, and at most 100 are read: make it smaller" in refusal(bomb)
    bomb.write_bytes(png_of(12000, 8000))  # 96: small enough, but nothing in it
    assert "damaged or cut short" in refusal(bomb)
    small = save(tmp_path / "small.png", corners(100, 100))
    assert "0.005 are read" not in refusal(small, max_megapixels=0.005)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "gif"])
def test_truncated_files_are_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"p.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged or cut short" in refusal(path)


def test_text_zero_bytes_and_missing_files_are_refused(tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("Dear diary,\n")
    assert "no picture, whatever its name says" in refusal(text)
    empty = tmp_path / "empty.png"
    empty.touch()
    assert "0 bytes" in refusal(empty)
    assert "No such file" in refusal(tmp_path / "gone.jpg")
    assert "can't be read" in refusal(tmp_path)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_are_refused_and_stills_are_not(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    moving = tmp_path / f"moving.{suffix}"
    frames[0].save(moving, save_all=True, append_images=frames[1:])
    assert "an animation of 3 frames: save the frame you want" in refusal(moving)
    still = save(tmp_path / f"still.{suffix}", frames[0])
    assert read_photograph(still).pixels.shape == (8, 8, 3)


def test_the_first_page_of_a_tiff_is_read(tmp_path):
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    path = tmp_path / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    read = read_photograph(path)
    assert read.pixels[0, 0].tolist() == [255, 0, 0]
    assert read.notes == ("first of 2 pages",)


@pytest.mark.parametrize(
    "broken",
    [
        b"Exif\0\0MM\0*",
        b"Exif\0\0garbage garbage",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0",
        b"Exif\0\0",
    ],
)
def test_broken_exif_does_not_lose_the_picture(tmp_path, broken):
    read = read_photograph(save(tmp_path / "p.jpg", corners(), exif=broken))
    assert read.pixels.shape == corners().shape
    assert len(read.notes) <= 1


def test_broken_exif_is_noted(tmp_path):
    read = read_photograph(save(tmp_path / "p.jpg", corners(), exif=b"Exif\0\0garbage garbage"))
    assert read.notes == ("broken EXIF: taken as upright",)
    read = read_photograph(save(tmp_path / "q.jpg", corners(), exif=exif(77)))
    assert read.notes == ("EXIF orientation 77 means nothing: taken as upright",)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "gif", "bmp"])
def test_damage_anywhere_gives_a_picture_or_one_line(tmp_path, suffix, capfd):
    whole = save(tmp_path / f"p.{suffix}", corners()).read_bytes()
    path = tmp_path / f"damaged.{suffix}"
    chance = random.Random(5)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        with contextlib.suppress(PictureError):  # any other error fails the test
            assert read_photograph(path).pixels.shape[2] == 3
    capfd.readouterr()  # libtiff complains there by itself


def test_heic_is_read_or_its_package_named(tmp_path, monkeypatch):
    path = tmp_path / "p.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pillow_heif", None)
        assert "pip install 'triptych[heic]'" in refusal(path)
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    save(path, corners(96, 160), quality=95)
    pixels = read_photograph(path).pixels
    assert pixels.shape == (96, 160, 3)
    assert pixels[10, 10].astype(int) == pytest.approx([220, 30, 30], abs=12)


# ---- Folders, duplicates, fitting ------------------------------------------------------------------------


def test_photographs_are_found_below_a_folder_in_order(tmp_path):
    for name in ("b.JPG", "a/z.png", "a/b/c.webp", ".hidden.jpg", ".cache/x.jpg", "notes.txt", "a.tiff"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_photographs(tmp_path)]
    assert found == ["a/b/c.webp", "a/z.png", "a.tiff", "b.JPG"]


def test_folders_that_cannot_serve_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        find_photographs(tmp_path / "gone")
    with pytest.raises(UserError, match="no photographs in it"):
        find_photographs(tmp_path)
    file = tmp_path / "p.jpg"
    file.touch()
    with pytest.raises(UserError, match="a file, not a folder"):
        find_photographs(file)


def test_files_of_the_same_pixels_are_told(tmp_path):
    first = save(tmp_path / "a.png", corners())
    again = save(tmp_path / "b.tiff", corners())
    turned = save(tmp_path / "c.png", np.ascontiguousarray(TURNS[6](corners())), exif=exif(6))
    other = save(tmp_path / "d.png", 255 - corners())
    read = [read_photograph(path) for path in (first, again, turned, other)]
    assert duplicates((each.path, each.pixels_hash) for each in read) == {again: first, turned: first}


@pytest.mark.parametrize("size", [SIZES[0], SIZES[13], SIZES[-1], scaled(SIZES[5], 0.25)])
@pytest.mark.parametrize("how", ["crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(300, 400), (3, 500), (1234, 77)])
def test_fitting_gives_exactly_the_size(size, how, height, width):
    fitted = fit(np.full((height, width, 3), 7, np.uint8), size, how)
    assert fitted.shape == (size.height, size.width, 3)
    assert fitted.flags.c_contiguous
    assert (fitted == 7).all()


def test_crop_cuts_both_sides_alike_and_pad_keeps_all():
    stripes = np.zeros((100, 300, 3), np.uint8)
    stripes[:, 100:200] = 255
    assert (fit(stripes, Size(100, 100), "crop") == 255).all()
    padded = fit(stripes, Size(96, 96), "pad")
    assert (padded[:30] == 0).all()
    assert (padded[40:56, 34:62] == 255).all()
    assert np.array_equal(padded, padded[:, ::-1])


def test_a_picture_of_the_size_already_is_left_alone():
    picture = np.random.default_rng(1).integers(0, 256, (320, 800, 3), dtype=np.uint8)
    size = nearest(800, 320, 0.25)
    assert np.array_equal(fit(picture, size, "crop"), picture)
    assert np.array_equal(fit(picture, size, "pad"), picture)


def test_shrinking_averages(tmp_path):
    checks = np.zeros((64, 64, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 254
    assert wrong_by(fit(checks, Size(16, 16), "crop"), np.full((16, 16, 3), 127)) <= 1
