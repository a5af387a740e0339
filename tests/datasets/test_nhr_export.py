from __future__ import annotations

import random
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.made import RECIPE, SPECS, data_set_of, triplet, triplets
from triptych.datasets.dataset import DataSet, Origin, dataset_hash
from triptych.datasets.layouts import FORMATS
from triptych.errors import DamagedImage, MissingImage, UserError
from triptych.ledger.images import ImageStore
from triptych.mining.select import Triplet
from triptych.records import hash_bytes

export = FORMATS["nhr"]
NHR_FIELDS = [
    "sample_id",
    "source_file_name",
    "edited_file_name",
    "edit_instruction",
    "augmented_instructions",
    "category",
    "style",
    "kind",
    "img_width",
    "img_height",
]


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def data_set(rows: list[Triplet]) -> DataSet:
    return data_set_of(rows)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def rows_of(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_every_triplet_is_a_row_with_its_pictures_byte_for_byte(tmp_path: Path, images: ImageStore) -> None:
    made = triplets(9, images)
    report = export(data_set(made), tmp_path / "out", images)

    rows = {str(row["sample_id"]): row for row in rows_of(tmp_path / "out" / "metadata.jsonl")}
    assert rows.keys() == {one.id for one in made}
    for one in made:
        row = rows[one.id]
        assert set(NHR_FIELDS) == row.keys()
        assert row["edit_instruction"] == one.edit.instruction
        assert (row["category"], row["kind"]) == (one.edit.category, "forward")
        assert row["style"] == (one.scene.style or "standard")
        assert (row["img_width"], row["img_height"]) == (48, 32)
        for side, image in (("source", one.source.image), ("edited", one.attempt.image)):
            copied = tmp_path / "out" / str(row[f"{side}_file_name"])
            assert copied.read_bytes() == images.path(image).read_bytes()
            assert hash_bytes(copied.read_bytes()) == image
    assert (report.triplets, report.images) == (9, 12)  # three triplets share each source
    assert report.bytes == sum(path.stat().st_size for path in (tmp_path / "out/images").rglob("*.jpg"))


def test_scores_and_lineage_stand_beside_the_metadata(tmp_path: Path, images: ImageStore) -> None:
    made = triplets(4, images)
    export(data_set(made), tmp_path / "out", images)
    scores = {row["sample_id"]: row for row in rows_of(tmp_path / "out" / "scores.jsonl")}
    for one in made:
        row = scores[one.id]
        assert (row["adherence"], row["aesthetics"]) == (one.scores.adherence, one.scores.aesthetics)
        assert (row["attempt"], row["prompt"]) == (one.attempt.id, one.scene.prompt)
    assert "adherence" not in rows_of(tmp_path / "out" / "metadata.jsonl")[0]


def test_the_manifest_counts_and_names_what_made_it(tmp_path: Path, images: ImageStore) -> None:
    made = triplets(8, images)
    export(data_set(made), tmp_path / "out", images)
    manifest = orjson.loads((tmp_path / "out" / "export.json").read_bytes())
    assert manifest["triplets"] == 8
    assert manifest["dataset_hash"] == dataset_hash(made)
    assert manifest["counts"]["category"] == dict.fromkeys(
        ("add_object", "change_colour", "remove_object", "season"), 2
    )
    assert manifest["counts"]["size"] == {"48×32": 8}
    assert manifest["runs"][0]["rule"]["threshold"] == {"adherence": 4.7, "aesthetics": 4.7}
    assert manifest["runs"][0]["recipe"]["name"] == "made"
    assert manifest["runs"][0]["specs"]["validator"]["id"] == SPECS["validator"].id


def test_the_card_says_what_is_in_it(tmp_path: Path, images: ImageStore) -> None:
    export(data_set(triplets(8, images)), tmp_path / "out", images)
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["size_categories"] == ["n<1K"]
    assert yaml.safe_load(head)["task_categories"] == ["image-to-image"]
    for said in ("| add_object | 2 |", "| oil painting | 3 |", "| 48×32 | 8 |", "≥ 4.7", "mbedded studio"):
        assert said in body
    assert f"`{SPECS['validator'].id}`" in body


def test_the_same_triplets_in_any_order_give_the_same_bytes(tmp_path: Path, images: ImageStore) -> None:
    made = triplets(12, images)
    export(data_set(made), tmp_path / "a", images)
    random.Random(5).shuffle(made)
    export(data_set([*made, made[0]]), tmp_path / "b", images)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_png_pictures_stay_png(tmp_path: Path, images: ImageStore) -> None:
    one = triplet(0, images, image_format="png")
    export(data_set([one]), tmp_path / "out", images)
    (row,) = rows_of(tmp_path / "out" / "metadata.jsonl")
    assert str(row["edited_file_name"]).endswith(".png")
    assert (tmp_path / "out" / str(row["edited_file_name"])).read_bytes().startswith(b"\x89PNG")


def test_no_folder_holds_more_files_than_the_hub_takes(tmp_path: Path, images: ImageStore) -> None:
    export(data_set(triplets(9, images)), tmp_path / "out", images)
    for path in (tmp_path / "out" / "images").rglob("*.jpg"):
        assert path.parent.name == path.name[:2]  # 256 folders


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path, images: ImageStore) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"isn't empty.*--to"):
        export(data_set(triplets(2, images)), taken, images)
    assert contents(taken) == {"thesis.txt": b"mine"}
    with pytest.raises(UserError, match="is a file"):
        export(data_set(triplets(2, images)), taken / "thesis.txt", images)


def test_an_empty_folder_and_a_new_one_below_another_are_taken(tmp_path: Path, images: ImageStore) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "new" / "below"):
        export(data_set(triplets(2, images)), folder, images)
        assert (folder / "metadata.jsonl").is_file()


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_an_export_that_stops_half_way_never_looks_whole_and_goes_on(
    tmp_path: Path, images: ImageStore, harm: str
) -> None:
    made = triplets(6, images)
    victim = images.path(max(one.attempt.image for one in made))  # pictures are copied in the order of names
    whole = victim.read_bytes()
    if harm == "missing":
        victim.unlink()
    else:
        victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(MissingImage if harm == "missing" else DamagedImage):
        export(data_set(made), tmp_path / "out", images)
    assert not (tmp_path / "out").exists()
    left = tmp_path / ".out.part"
    assert not left.exists()  # a told error leaves nothing; a kill does
    (left / "images").mkdir(parents=True)
    (left / "images" / "stranger.txt").write_text("of an earlier selection")

    victim.write_bytes(whole)
    export(data_set(made), tmp_path / "out", images)
    export(data_set(made), tmp_path / "again", images)
    assert contents(tmp_path / "out") == contents(tmp_path / "again")
    assert not left.exists()


def test_where_photographs_lay_stays_private(tmp_path: Path, images: ImageStore) -> None:
    recipe = RECIPE.model_copy(
        update={
            "scenes": 0,
            "photographs": {"folder": "/home/somebody/private/holiday"},
            "painter": None,
            "screen": None,
        }
    )
    recipe = type(recipe).model_validate(recipe.model_dump(warnings=False))
    export(DataSet("made", triplets(1, images), [Origin(recipe, SPECS)]), tmp_path / "out", images)
    assert b"somebody" not in b"".join(contents(tmp_path / "out").values())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_any_instruction_survives_the_export(
    tmp_path_factory: pytest.TempPathFactory, instructions: list[str]
) -> None:
    base = tmp_path_factory.mktemp("any")
    images = ImageStore(base / "images")
    made = [triplet(n, images, instruction=text) for n, text in enumerate(instructions)]
    export(data_set(made), base / "out", images)
    rows = rows_of(base / "out" / "metadata.jsonl")
    assert sorted(str(row["edit_instruction"]) for row in rows) == sorted(instructions)


def test_the_hash_names_what_is_in_the_set_and_not_its_order(images: ImageStore) -> None:
    made = triplets(6, images)
    assert dataset_hash(made) == dataset_hash(made[::-1])
    assert dataset_hash(made) != dataset_hash(made[1:])
    assert dataset_hash(made) != dataset_hash([*made[1:], triplet(7, images)])
