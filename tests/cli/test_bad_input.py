"""Bad input: one clear line that says the mend, exit 1 or 2, and nothing lost."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Triptych, environment, one_line
from triptych.backends.studio.world import WorldStore
from triptych.ledger.run import RunFolder
from triptych.recipe import parse_recipe
from triptych.runs import open_for_mining

PHOTO_ROLES = {"painter": None, "screen": None, "scenes": None, "sources_per_scene": None}


def test_no_recipe(triptych: Triptych) -> None:
    assert "no recipe at nowhere.yaml" in one_line(triptych("mine", "nowhere.yaml"), 2)


def test_a_mistyped_key_is_told_with_the_near_one(
    triptych: Triptych, recipe_file: Callable[..., Path]
) -> None:
    line = one_line(triptych("mine", recipe_file(atempts=3)), 2)
    assert "unknown key 'atempts'; did you mean 'attempts'?" in line
    line = one_line(triptych("mine", recipe_file(), "--set", "rule.shfit=3"), 2)
    assert "did you mean 'shift'?" in line


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"scenes": -1}, "scenes"),
        ({"policy": "best"}, "policy"),
        ({"editor": "studo"}, "did you mean 'studio'?"),
        ({"editor": "no.such.module:Editor"}, "can't be imported"),
        ({"editor": "tests.mining.standins:Nobody"}, "has no class 'Nobody'"),
        ({"editor": "tests.mining.standins:StandinJudge"}, "lacks edit"),
        (
            {"editor": {"backend": "tests.mining.standins:StandinEditor", "settings": {"latncy": 1}}},
            "latncy",
        ),
        ({"validator": None}, "'validator' is missing"),
        ({"scenes": 0}, "either photographs, or scenes"),
    ],
)
def test_a_value_that_cannot_be(
    triptych: Triptych, recipe_file: Callable[..., Path], change: dict[str, object], told: str
) -> None:
    assert told in one_line(triptych("mine", recipe_file(**change)), 2)


def test_broken_yaml(triptych: Triptych, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("name: x\n  scenes: [1\n")
    assert "not valid YAML" in one_line(triptych("mine", "broken.yaml"), 2)


def test_status_of_no_run(triptych: Triptych) -> None:
    assert "there is no run in" in one_line(triptych("status", "runs/nothing"), 2)


def test_truth_of_a_run_without_any(triptych: Triptych, recipe_file: Callable[..., Path]) -> None:
    triptych("mine", recipe_file())
    assert "no known truth" in one_line(triptych("status", "runs/small", "--truth"), 2)


def test_a_format_nobody_knows(triptych: Triptych, recipe_file: Callable[..., Path]) -> None:
    triptych("mine", recipe_file())
    line = one_line(triptych("export", "runs/small", "--format", "nrh", "--to", "out"), 2)
    assert "did you mean 'nhr'?" in line


def test_a_folder_that_holds_other_things(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all my work")
    line = one_line(triptych("mine", recipe_file(), "--out", "mine"), 2)
    assert "isn't empty and holds no run" in line
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "all my work"


def test_a_read_only_folder(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir(mode=0o500)
    command = [sys.executable, "-m", "triptych.cli.main", "mine", recipe_file(), "--out", "sealed/run"]
    if os.geteuid() == 0:  # root writes anywhere, unless it gives that right up
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root writes anywhere, and there is no setpriv to give that right up")
        command = [setpriv, "--bounding-set=-dac_override", "--inh-caps=-dac_override", *command]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment(), text=True, capture_output=True, check=False
    )
    assert "make it writable" in one_line(result, 2)


def test_a_run_of_a_newer_version(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    triptych("mine", recipe_file())
    with sqlite3.connect(tmp_path / "runs/small/ledger.sqlite") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert "meta" in tables
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'format'")
    for command in (("mine", recipe_file()), ("status", "runs/small")):
        assert "newer" in one_line(triptych(*command), 2)


def test_a_run_held_by_another_miner(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = recipe_file()
    recipe = parse_recipe(path.read_text(), origin="recipe", base=tmp_path)
    with open_for_mining(recipe, tmp_path / "runs/small"):
        line = one_line(triptych("mine", path), 2)
    assert f"being mined by process {os.getpid()}" in line


def test_a_full_disk_stops_with_one_line_and_the_run_goes_on(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    full = tmp_path / "small-disk"
    full.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=600k none {full} 2>/dev/null") != 0:
        pytest.skip("can't mount a small disk here")
    try:
        line = one_line(triptych("mine", recipe_file(scenes=40), "--out", full / "run"), 1)
        assert "full" in line
        os.system(f"mount -o remount,size=60m {full}")
        assert triptych("mine", recipe_file(scenes=4), "--out", full / "run").returncode == 0
        assert triptych("verify", full / "run").returncode == 0
    finally:
        os.system(f"umount {full}")


# ---- photographs -----------------------------------------------------------------------------------------


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder with one good photograph."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8), (400, 300))
    Image.fromarray(texture).save(folder / "good.jpg", quality=95)
    return folder


def photo_recipe(recipe_file: Callable[..., Path], folder: Path) -> Path:
    return recipe_file(**PHOTO_ROLES, photographs={"folder": str(folder), "largest_megapixels": 50})


def test_a_missing_and_an_empty_folder(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    missing = one_line(triptych("mine", photo_recipe(recipe_file, tmp_path / "gone")), 2)
    assert "gone" in missing
    (tmp_path / "empty").mkdir()
    empty = one_line(triptych("mine", photo_recipe(recipe_file, tmp_path / "empty")), 2)
    assert "empty" in empty


def _truncated(good: Path, bad: Path) -> None:
    bad.write_bytes(good.read_bytes()[:2000])


def _text(_: Path, bad: Path) -> None:
    bad.write_text("no picture at all")


def _nothing(_: Path, bad: Path) -> None:
    bad.write_bytes(b"")


def _bomb(_: Path, bad: Path) -> None:
    Image.new("1", (20_000, 10_000)).save(bad.with_suffix(".png"))


def _animated(good: Path, bad: Path) -> None:
    frames = [Image.open(good).resize((60, 60)), Image.new("RGB", (60, 60), "red")]
    frames[0].save(bad.with_suffix(".gif"), save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("spoil", [_truncated, _text, _nothing, _bomb, _animated])
def test_a_bad_photograph_is_named_and_the_others_are_mined(
    triptych: Triptych,
    recipe_file: Callable[..., Path],
    photographs: Path,
    spoil: Callable[[Path, Path], None],
) -> None:
    spoil(photographs / "good.jpg", photographs / "bad.jpg")
    result = triptych("mine", photo_recipe(recipe_file, photographs))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    told, last = [line for line in result.stderr.splitlines() if line.startswith("triptych: ")]
    assert "bad." in told
    assert "1 of 2 photographs could not be read (bad." in last
    with RunFolder(Path(photographs.parent / "runs/small")).open_ledger(read_only=True) as ledger:
        from triptych.records import Attempt, Source

        assert len(list(ledger.facts(Source))) == 1
        assert len(list(ledger.facts(Attempt))) == 4


def test_two_files_with_the_same_pixels_are_one_source_and_said(
    triptych: Triptych, recipe_file: Callable[..., Path], photographs: Path
) -> None:
    Image.open(photographs / "good.jpg").save(photographs / "same.png")
    result = triptych("mine", photo_recipe(recipe_file, photographs))
    assert result.returncode == 0, result.stderr
    assert "same.png is the same as " in result.stdout
    assert re.search(r"sources +1 ", result.stdout)


def test_broken_exif_is_no_obstacle(
    triptych: Triptych, recipe_file: Callable[..., Path], photographs: Path
) -> None:
    picture = Image.open(photographs / "good.jpg").rotate(90)
    picture.save(photographs / "odd.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xffgarbage")
    result = triptych("mine", photo_recipe(recipe_file, photographs))
    assert result.returncode == 0, result.stderr
    assert re.search(r"sources +2 ", result.stdout)
    assert "odd.jpg: broken EXIF: taken as upright" in result.stdout


# ---- doctor, status --truth, terminals -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ({"backend": "tests.mining.standins:StandinEditor", "settings": {"latncy": 1}}, "latncy"),
        ("tests.mining.failing:RaisingEditor", "ZeroDivisionError: a bug of two lines"),
        ("tests.mining.failing:ExitingEditor", "its process died"),
    ],
)
def test_doctor_finds_what_a_back_end_does_wrong(
    triptych: Triptych, recipe_file: Callable[..., Path], editor: object, told: str
) -> None:
    result = triptych("doctor", recipe_file(editor=editor))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    named = ("MEND  editor: ", "MEND  editor, asked: ")  # before anything is asked, and when it was
    (line,) = [line for line in result.stdout.splitlines() if line.startswith(named)]
    assert told in line


def test_a_damaged_world_store_and_a_file_of_rows_that_cannot_be(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    triptych("mine", recipe_file())
    world = tmp_path / "runs/small/world.sqlite"
    world.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    assert "world.sqlite can't be read" in one_line(triptych("status", "runs/small", "--truth"), 2)
    world.unlink()
    WorldStore(world)
    rows = ("--rows", "/nonexistent/rows.jsonl")
    line = one_line(triptych("status", "runs/small", "--truth", *rows), 2)
    assert "/nonexistent/rows.jsonl can't be written" in line


def test_a_terminal_that_knows_only_ascii(recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "triptych.cli.main", "mine", str(recipe_file())]
    ascii_only = environment() | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        command, cwd=tmp_path, env=ascii_only, text=True, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"scenes +3 +#+", result.stdout)


def test_a_narrow_terminal_cuts_no_word(triptych: Triptych, recipe_file: Callable[..., Path]) -> None:
    triptych("mine", recipe_file())
    narrow = triptych("status", "runs/small", COLUMNS="20").stdout
    assert "…" not in narrow
    for words in ("soft filter", "low level", "model-seconds"):
        assert words in narrow


def test_a_run_of_an_unreleased_format(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = recipe_file(scenes=1)
    assert triptych("mine", recipe).returncode == 0
    with sqlite3.connect(tmp_path / "runs/small/ledger.sqlite") as ledger:
        ledger.execute("ALTER TABLE attempt DROP COLUMN pixels")
    for command in (("status", "runs/small"), ("mine", recipe)):
        assert "made by another version" in one_line(triptych(*command), 2)
