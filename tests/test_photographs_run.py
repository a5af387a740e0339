"""Photographs through the whole loop: sources upright, edits that the studio can do to a photograph."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import environment
from triptych.runs import open_run

REPOSITORY = Path(__file__).resolve().parents[1]
REAL = REPOSITORY.parent / "shared/data/photos"
CATEGORIES = {"style", "degrade", "color_correction", "weather"}


def mine(out: Path, folder: Path, *sets: str) -> None:
    words = [
        word
        for key in (
            f"photographs.folder={folder}",
            "megapixels=0.1",
            "edits_per_scene=2",
            "attempts=1",
            *sets,
        )
        for word in ("--set", key)
    ]
    command = [sys.executable, "-m", "triptych.cli.main", "mine", "recipes/photos.yaml", "--out", str(out)]
    done = subprocess.run(
        [*command, *words], capture_output=True, text=True, check=False, cwd=REPOSITORY, env=environment()
    )
    assert done.returncode == 0, done.stderr


# EXIF orientation → how a camera that says so has stored an upright picture.
AS_STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


def made_photographs(folder: Path) -> Path:
    """A small set of our own: red above, blue below, in several containers and all orientations."""
    folder.mkdir()
    upright = np.zeros((90, 120, 3), np.uint8)
    upright[:45] = (200, 30, 30)
    upright[45:] = (30, 30, 200)
    upright[:, :40, 1] = 150  # green at the left: a mirrored picture shows it at the right
    for orientation, tip in AS_STORED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        noise = np.random.default_rng(orientation).integers(0, 40, (90, 10, 3), dtype=np.uint8)
        each = upright.copy()
        each[:, -10:] += noise  # eight pictures, not one eight times
        turned = Image.fromarray(np.ascontiguousarray(tip(each)))
        turned.save(folder / f"turned_{orientation}.jpg", exif=exif, quality=95)
    Image.fromarray(upright).save(folder / "plain.png")
    Image.fromarray(upright).save(folder / "plain.webp", lossless=True)
    return folder


def test_made_photographs_come_out_upright_and_are_edited(tmp_path: Path) -> None:
    mine(tmp_path / "run", made_photographs(tmp_path / "photographs"))
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        assert run.view().funnel["attempts"] > 0
        for slot in run.slots:
            if slot.state is None:
                assert slot.spent == "duplicate_scene"  # the PNG and the WebP show the same pixels
                continue
            assert {edit.category for edit in slot.state.edits} <= CATEGORIES
            (source,) = slot.state.sources
            assert source.source is not None
            pixels = np.asarray(Image.open(run.images.path(source.source.image)))
            height, width = pixels.shape[:2]
            assert pixels[: height // 3, :, 0].mean() > 150  # red above
            assert pixels[-height // 3 :, :, 2].mean() > 150  # blue below
            assert pixels[:, : width // 4, 1].mean() > 100 > pixels[:, -width // 4 :, 1].mean()  # green left
        assert sum(slot.spent == "duplicate_scene" for slot in run.slots) == 1


@pytest.mark.skipif(not REAL.is_dir(), reason="the photographs of ../shared/data are not here")
def test_real_photographs_are_mined(tmp_path: Path) -> None:
    mine(tmp_path / "run", REAL, "attempts=1", "edits_per_scene=1")
    with open_run(tmp_path / "run") as run:
        view = run.view()
    files = [path for path in REAL.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")]
    assert view.funnel["sources"] == len(files)
    assert view.funnel["attempts"] > 0.9 * len(files)


@pytest.mark.skipif(not REAL.is_dir(), reason="the photographs of ../shared/data are not here")
def test_the_orientation_set_comes_out_upright_all_of_it(tmp_path: Path) -> None:
    mine(tmp_path / "run", REAL / "exif_orientation", "edits_per_scene=1")
    with open_run(tmp_path / "run") as run:
        shapes: dict[str, list[np.ndarray]] = {"landscape": [], "portrait": []}
        for slot in run.slots:
            assert slot.state is not None
            source = slot.state.sources[0].source
            assert source is not None
            kind = "landscape" if source.width > source.height else "portrait"
            small = Image.open(run.images.path(source.image)).convert("L").resize((24, 24))
            shapes[kind].append(np.asarray(small, np.float32))
    assert [len(pictures) for pictures in shapes.values()] == [8, 8]
    for pictures in shapes.values():
        for picture in pictures[1:]:
            assert np.corrcoef(picture.ravel(), pictures[0].ravel())[0, 1] > 0.9


def test_status_of_photographs_as_json(tmp_path: Path) -> None:
    mine(tmp_path / "run", made_photographs(tmp_path / "photographs"))
    command = [sys.executable, "-m", "triptych.cli.main", "status", str(tmp_path / "run"), "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, env=environment()).stdout)
    assert told["funnel"]["scenes"] == told["funnel"]["sources"] == told["funnel"]["screened"] == 9
