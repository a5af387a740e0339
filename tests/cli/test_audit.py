"""`triptych audit` from outside: table, JSON and picture of anybody's pairs, resumed and told honestly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import create_engine, text

from tests.cli.conftest import REPOSITORY, Triptych, one_line
from tests.datasets.foreign import PICTURES, image_folder, magicbrush
from triptych.pixels.picture import Picture

SHARED = REPOSITORY.parent / "shared" / "data" / "triplets"
KEYS = {"n", "adherence", "aesthetics", "geometric", "ci", "by_category", "skipped"}


def mixed(folder: Path) -> Path:
    """Pairs of two categories, one of two sizes, one of two shapes, one cut short, one without its file."""
    folder.mkdir()
    before, after = PICTURES[0]
    pixels = Picture.from_encoded(after).pixels
    files = {
        "before.jpg": before,
        "after.jpg": after,
        "large.png": Picture.from_pixels(pixels.repeat(2, axis=0).repeat(2, axis=1)).encoded("png"),
        "tall.png": Picture.from_pixels(pixels[:, :16]).encoded("png"),
        "cut.jpg": after[: len(after) // 2],
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    rows = [
        {"source": "before.jpg", "edited": name, "instruction": f"Add {name}", "category": category}
        for name, category in (
            ("after.jpg", "add"),
            ("large.png", "add"),
            ("tall.png", "add"),
            ("cut.jpg", "add"),
            ("gone.jpg", "add"),
        )
    ]
    rows.append(
        {"source": "after.jpg", "edited": "before.jpg", "instruction": "Take it out", "category": "out"}
    )
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_an_audit_is_a_table_json_and_a_picture(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    data = mixed(tmp_path / "pairs")
    done = triptych("audit", data, "--validator", recipe_file(), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == KEYS
    assert told["n"] == 3
    assert told["skipped"] == {"shapes_differ": 1, "unreadable_picture": 1, "missing_file": 1}
    assert {name: line["n"] for name, line in told["by_category"].items()} == {"add": 2, "out": 1}
    assert told["by_category"]["out"]["ci"]["geometric"] is None  # of one picture
    low, high = told["ci"]["geometric"]
    assert low <= told["geometric"] <= high
    assert 1 <= told["adherence"] <= 5
    assert "1 pairs of two sizes: the larger picture scaled down" in done.stderr
    assert "uncalibrated" not in done.stderr
    kept = tmp_path / "audits"
    assert json.loads((kept / "pairs.json").read_bytes()) == told
    picture = ET.fromstring((kept / "pairs.svg").read_bytes())
    assert len(picture.findall("{*}circle")) == 3
    assert not (kept / "judging").exists()


def test_what_was_judged_is_not_asked_again(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    data = mixed(tmp_path / "pairs")
    first = triptych("audit", data, "--validator", recipe_file(), "--json", "--sample", 2)
    again = triptych("audit", data, "--validator", recipe_file(), "--json")
    repeated = triptych("audit", data, "--validator", recipe_file(), "--json")
    assert first.returncode == again.returncode == 0
    assert again.stdout == repeated.stdout
    with create_engine(f"sqlite:///{tmp_path}/audits/ledger.sqlite").connect() as ledger:
        assert ledger.execute(text("select count(*) from call")).scalar() == 3


def test_a_judge_without_an_answer_gives_no_score(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    judge = {"backend": "tests.mining.standins:StandinJudge", "settings": {"unscored_share": 1.0}}
    magicbrush(tmp_path / "brush")
    done = triptych("audit", "brush", "--validator", recipe_file(validator=judge), "--json")
    told = json.loads(done.stdout)
    assert (told["n"], told["geometric"], told["ci"]["geometric"]) == (0, None, None)
    assert told["skipped"] == {"unscored_unparsable": 2}


def test_a_run_and_its_export_stand_side_by_side(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = recipe_file()
    assert triptych("mine", recipe, "--out", "run").returncode == 0
    exported = triptych("export", "run", "--to", "data", "--no-mark", "--json")
    done = triptych("audit", "run", "data", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["run"]["n"] == told["data"]["n"] == json.loads(exported.stdout)["triplets"]
    assert told["run"]["geometric"] == told["data"]["geometric"]
    assert (tmp_path / "audits" / "run-data.svg").exists()


def test_the_studio_is_uncalibrated_elsewhere(triptych: Triptych, tmp_path: Path) -> None:
    image_folder(tmp_path / "theirs")
    done = triptych("audit", "theirs", "--validator", REPOSITORY / "recipes" / "quickstart.yaml")
    assert done.returncode == 0, done.stderr
    assert "theirs (uncalibrated)" in done.stdout
    assert "learned from the embedded studio alone" in " ".join(done.stdout.split())
    assert "uncalibrated" in (tmp_path / "audits" / "theirs.svg").read_text()
    assert json.loads((tmp_path / "audits" / "theirs.json").read_bytes())["uncalibrated"] is True


def test_mistakes_are_one_line(triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path) -> None:
    image_folder(tmp_path / "theirs")
    assert "--validator RUN" in one_line(triptych("audit", "theirs"), 2)
    assert "no such file" in one_line(triptych("audit", "nowhere", "--validator", recipe_file()), 2)
    assert "no run in" in one_line(triptych("audit", "theirs", "--validator", "theirs"), 2)
    (tmp_path / "taken").write_text("a file")
    line = one_line(triptych("audit", "theirs", "--validator", recipe_file(), "--out", "taken"), 2)
    assert "another with --out" in line


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the shared data isn't here")
def test_sixty_real_pairs(triptych: Triptych) -> None:
    recipe = REPOSITORY / "recipes" / "quickstart.yaml"
    done = triptych("audit", SHARED, "--validator", recipe, "--json")
    told = json.loads(done.stdout)
    assert told["n"] + sum(told["skipped"].values()) == 60
    assert set(told["skipped"]) == {"unscored_instruction_not_understood"}
    assert "9 pairs of two sizes" in done.stderr
    assert "uncalibrated" in done.stderr
