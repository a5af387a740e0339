"""What holds for every format: read back with code that isn't ours, repeatable, whole or not there."""

from __future__ import annotations

import random
import shutil
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.made import data_set_of, inverse_of, triplet, triplets, worse
from triptych.datasets.adapters.opening import open_dataset
from triptych.datasets.adapters.sample import Sample
from triptych.datasets.dataset import DataSet, thresholds
from triptych.datasets.images import MarkedImages
from triptych.datasets.layouts import FORMATS
from triptych.datasets.marking import is_image
from triptych.datasets.staging import appearing_whole
from triptych.errors import MissingImage, UserError, WorkFailed
from triptych.ledger.images import ImageStore
from triptych.mining.select import Triplet
from triptych.records import pair_id
from triptych.validator.rule import Rule, Scores

Rows = list[tuple[str, bytes, bytes]]  # instruction, source, edited
PREFERENCES = ("preference", "diffusion-dpo")
CHAINS = ("multiturn",)
TRIPLETS = [name for name in FORMATS if name not in (*PREFERENCES, *CHAINS)]
SETS = [*TRIPLETS, *PREFERENCES]
REPEATABLE = [name for name in SETS if name != "lance"]  # it names its files at random


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def full_set(images: ImageStore, count: int = 9) -> DataSet:
    """Forward triplets, an inverse, and for every second a worse attempt."""
    made = triplets(count, images)
    made.append(inverse_of(made[0], "Take the duck away from the meadow"))
    stopped = [worse(one, "soft_adherence", images) for one in made[::2]]
    stopped.append(worse(made[1], "adherence", images, Scores(3.2, 4.6)))
    return data_set_of(made, stopped)


def expected(made: list[Triplet], images: ImageStore) -> Rows:
    return sorted(
        (one.instruction, images.get(one.source_image), images.get(one.edited_image)) for one in made
    )


# ---- readers that know the formats as their trainers document them ----------------------------------------


def parquet_rows(folder: Path) -> Iterator[dict[str, object]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    for path in sorted(folder.glob("*.parquet")):
        yield from parquet.read_table(path).to_pylist()


def read_hf(folder: Path) -> Rows:
    return [
        (row["edit_instruction"], row["source_image"]["bytes"], row["edited_image"]["bytes"])  # type: ignore[index, misc]
        for row in parquet_rows(folder)
    ]


def read_nhr(folder: Path) -> Rows:
    rows = map(orjson.loads, (folder / "metadata.jsonl").read_bytes().splitlines())
    sides = ("source_file_name", "edited_file_name")
    return [(row["edit_instruction"], *((folder / row[side]).read_bytes() for side in sides)) for row in rows]  # type: ignore[misc]


def read_diffsynth(folder: Path) -> Rows:
    rows = orjson.loads((folder / "metadata.json").read_bytes())
    assert all(row["kontext_images"] == row["edit_image"] for row in rows)
    sides = ("edit_image", "image")
    return [(row["prompt"], *((folder / row[side]).read_bytes() for side in sides)) for row in rows]


def read_bagel(folder: Path) -> Rows:
    """As BAGEL does: files of the folder, by their very path in the JSON, a row group at a time."""
    parquet = pytest.importorskip("pyarrow.parquet")
    entry = orjson.loads((folder / "dataset_info.json").read_bytes())["triptych"]
    info = orjson.loads(Path(entry["parquet_info_path"]).read_bytes())
    found: Rows = []
    for path in sorted(Path(entry["data_dir"]).iterdir()):
        file = parquet.ParquetFile(path)
        assert info[str(path)]["num_row_groups"] == file.num_row_groups
        for group in range(info[str(path)]["num_row_groups"]):
            for row in file.read_row_group(group).to_pylist():
                (ways,) = row["instruction_list"]
                found.append((ways[0], *row["image_list"]))
    assert len(found) == entry["num_total_samples"]
    assert len(info) == entry["num_files"]
    return found


def read_lance(folder: Path) -> Rows:
    lance = pytest.importorskip("lance")
    rows = lance.dataset(str(folder / "data.lance")).to_table().to_pylist()
    return [(row["edit_instruction"], row["source_image"], row["edited_image"]) for row in rows]


def read_webdataset(folder: Path) -> Rows:
    found: Rows = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as shard:
            members = {name: shard.extractfile(name) for name in shard.getnames()}
            content = {name: file.read() for name, file in members.items() if file}
        for key in {name.split(".")[0] for name in content}:
            row = orjson.loads(content[f"{key}.json"])
            assert row["sample_id"] == key
            found.append(
                (row["edit_instruction"], *(content[f"{key}.{s}.jpg"] for s in ("source", "edited")))
            )
    return found


def read_folders(targets: Path, controls: Path) -> Rows:
    return [
        (
            path.with_suffix(".txt").read_bytes().decode(),
            (controls / path.name).read_bytes(),
            path.read_bytes(),
        )
        for path in targets.glob("*.jpg")
    ]


def read_ai_toolkit(folder: Path) -> Rows:
    (entry,) = yaml.safe_load((folder / "datasets.yaml").read_text(encoding="utf-8"))["datasets"]
    return read_folders(Path(entry["folder_path"]), Path(entry["control_path"]))


def read_simpletuner(folder: Path) -> Rows:
    backends = orjson.loads((folder / "multidatabackend.json").read_bytes())
    targets, references, texts = backends
    assert targets["conditioning_data"] == [references["id"]]
    assert references["conditioning_type"] == "reference_strict"
    assert texts["dataset_type"] == "text_embeds"
    return read_folders(Path(targets["instance_data_dir"]), Path(references["instance_data_dir"]))


def read_musubi(folder: Path) -> Rows:
    (entry,) = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))["datasets"]
    rows = map(orjson.loads, Path(entry["image_jsonl_file"]).read_bytes().splitlines())
    sides = ("control_path", "image_path")
    return [(row["caption"], *(Path(row[side]).read_bytes() for side in sides)) for row in rows]  # type: ignore[misc]


def read_omnigen2(folder: Path) -> Rows:
    (entry,) = yaml.safe_load((folder / "mix.yml").read_text(encoding="utf-8"))["data"]
    found: Rows = []
    for row in map(orjson.loads, Path(entry["path"]).read_bytes().splitlines()):
        assert row["task_type"] == entry["type"] == "edit"
        (source,) = row["input_images"]
        found.append((row["instruction"], Path(source).read_bytes(), Path(row["output_image"]).read_bytes()))
    return found


def read_step1x(folder: Path) -> Rows:
    (entry,) = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))["datasets"]
    assert entry["edit_dataset"]
    rows = orjson.loads(Path(entry["subsets"][0]["metadata_file"]).read_bytes())
    return [
        (row["caption"], Path(row["ref_image_path"]).read_bytes(), Path(target).read_bytes())
        for target, row in rows.items()
    ]


def read_instruct_pix2pix(folder: Path) -> Rows:
    found: Rows = []
    for name, seeds in orjson.loads((folder / "seeds.json").read_bytes()):
        edit = orjson.loads((folder / name / "prompt.json").read_bytes())["edit"]
        for seed in seeds:
            found.append((edit, *((folder / name / f"{seed}_{n}.jpg").read_bytes() for n in (0, 1))))  # type: ignore[arg-type]
    return found


READERS: dict[str, Callable[[Path], Rows]] = {
    "nhr": read_nhr,
    "hf": read_hf,
    "diffsynth": read_diffsynth,
    "bagel": read_bagel,
    "webdataset": read_webdataset,
    "lance": read_lance,
    "ai-toolkit": read_ai_toolkit,
    "musubi": read_musubi,
    "simpletuner": read_simpletuner,
    "omnigen2": read_omnigen2,
    "step1x": read_step1x,
    "instruct-pix2pix": read_instruct_pix2pix,
}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_every_format_has_a_reader_here() -> None:
    assert {*READERS, *PREFERENCES, *CHAINS} == set(FORMATS)


@pytest.mark.parametrize("name", TRIPLETS)
def test_a_trainer_finds_every_triplet_of_the_ledger(name: str, tmp_path: Path, images: ImageStore) -> None:
    data = full_set(images)
    report = FORMATS[name](data, tmp_path / "out", images)
    assert sorted(READERS[name](tmp_path / "out")) == expected(list(data.triplets), images)
    assert report.triplets == 10
    assert {"README.md", "export.json", "distributions.svg"} <= contents(tmp_path / "out").keys()


def test_other_wordings_go_along_where_a_format_has_room_for_them(tmp_path: Path, images: ImageStore) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    data = full_set(images)
    said = {one.id: (f"Please: {one.instruction}", f"{one.instruction}, can you?") for one in data.triplets}
    rows = [replace(one, augmented_instructions=said[one.id]) for one in data.triplets]
    for name in ("nhr", "bagel"):
        FORMATS[name](data_set_of(rows), tmp_path / name, images)
    for line in (tmp_path / "nhr" / "metadata.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        assert row["augmented_instructions"] == list(said[row["sample_id"]])
    ways = [
        tuple(ways)
        for path in sorted((tmp_path / "bagel").rglob("*.parquet"))
        for row in parquet.read_table(path).to_pylist()
        for ways in row["instruction_list"]
    ]
    assert sorted(ways) == sorted((one.instruction, *said[one.id]) for one in data.triplets)


def test_the_card_tells_what_derived_pairs_are_held_to() -> None:
    lax = Rule.model_validate({"threshold": 4.5, "backward": 3, "derived": {"threshold": 4.2}})
    told = thresholds(lax)
    assert told["backward filter: adherence of the inverse"] == "≥ 3"
    assert told["derived pairs, validator: adherence"] == "≥ 4.2"
    assert "derived pairs, soft filter: pleasing" not in told
    assert not any(gate.startswith("derived") for gate in thresholds(Rule()))


def test_the_card_tells_what_a_calibration_decides_by() -> None:
    file = "/home/me/calibration.json"
    rule = Rule.model_validate({"calibration": file})
    assert "calibration's own P(accept); where it has none, 4.7 / 4.7" in " ".join(thresholds(rule).values())
    lowest = thresholds(Rule.model_validate({"calibration": file, "accept": 0.7}))
    assert lowest["validator, calibrated: P(accept)"] == "≥ 0.7"
    assert not {"validator: adherence", "validator: aesthetics"} & set(lowest)


@pytest.mark.parametrize("name", REPEATABLE)
def test_the_same_data_set_gives_the_same_bytes(name: str, tmp_path: Path, images: ImageStore) -> None:
    data = full_set(images)
    FORMATS[name](data, tmp_path / "out", images)
    first = contents(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "first")
    rows, stopped = list(data.triplets), list(data.rejected)
    random.Random(3).shuffle(rows)
    random.Random(4).shuffle(stopped)
    FORMATS[name](data_set_of(rows, stopped), tmp_path / "out", images)
    assert contents(tmp_path / "out") == first


@pytest.mark.parametrize("name", REPEATABLE)
def test_an_interrupted_export_is_not_there_and_a_rerun_finishes_it(
    name: str, tmp_path: Path, images: ImageStore
) -> None:
    data = full_set(images)
    FORMATS[name](data, tmp_path / "whole", images)
    # A triplet with a preference, in the second half: something is written before it is missed.
    victim = images.path(data.triplets[8].edited_image)
    kept = victim.read_bytes()
    victim.write_bytes(b"spoilt" + kept)
    with pytest.raises(MissingImage):
        FORMATS[name](data, tmp_path / "out", images)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
    victim.write_bytes(kept)
    # What a kill leaves: some files whole, one cut short, one that this format doesn't write.
    killed = shutil.copytree(tmp_path / "whole", tmp_path / ".out.part")
    cut = max((path for path in killed.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    cut.write_bytes(cut.read_bytes()[:50])
    (killed / "stray").write_bytes(b"of another format")
    FORMATS[name](data, tmp_path / "out", images)
    assert contents(tmp_path / "out").keys() == contents(tmp_path / "whole").keys()
    assert not list(tmp_path.glob(".*part"))


def test_two_exports_to_one_folder_do_not_meet(tmp_path: Path, images: ImageStore) -> None:
    data = full_set(images)
    with appearing_whole(tmp_path / "out") as part:
        with pytest.raises(UserError, match="another export is being written"):
            FORMATS["nhr"](data, tmp_path / "out", images)
        (part / "mine").write_bytes(b"untouched")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_nhr_has_the_fields_of_nhr_edit_and_no_other(tmp_path: Path, images: ImageStore) -> None:
    FORMATS["nhr"](full_set(images), tmp_path / "out", images)
    fields = (
        "sample_id source_file_name edited_file_name edit_instruction augmented_instructions category style"
        " kind img_width img_height"
    )
    for line in (tmp_path / "out" / "metadata.jsonl").read_text("utf-8").splitlines():
        assert set(orjson.loads(line)) == set(fields.split())


@pytest.mark.parametrize("name", SETS)
def test_what_is_written_wrongly_is_found_by_the_check(
    name: str, tmp_path: Path, images: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = full_set(images)
    swapped = data.triplets[2].edited_image

    class Swapping:
        """A store that gives another whole picture for one."""

        def get(self, image: str) -> bytes:
            return images.get(data.triplets[5].edited_image if image == swapped else image)

        def path(self, image: str) -> Path:
            return images.path(data.triplets[5].edited_image if image == swapped else image)

    with pytest.raises(WorkFailed, match="doesn't read back"):
        FORMATS[name](data, tmp_path / "out", Swapping())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", TRIPLETS)
def test_marked_pictures_are_still_those_of_the_ledger(name: str, tmp_path: Path, images: ImageStore) -> None:
    data = full_set(images)
    photograph = data.triplets[3].source_image
    FORMATS[name](data, tmp_path / "out", MarkedImages(images, frozenset([photograph])))
    unmarked = expected(list(data.triplets), images)
    found = sorted(READERS[name](tmp_path / "out"), key=lambda row: row[0])
    by_instruction = {row[0]: row for row in unmarked}
    names = {images.get(one.source_image): one.source_image for one in data.triplets}
    for instruction, source, edited in found:
        _, source_there, edited_there = by_instruction[instruction]
        assert edited != edited_there  # marked
        is_photograph = names.get(source_there) == photograph
        assert (source == source_there) == is_photograph
        assert is_photograph or is_image(source, names.get(source_there, "")) or source_there not in names


def test_chains_are_turns_that_start_where_the_last_one_ended(tmp_path: Path, images: ImageStore) -> None:
    first, second = triplets(2, images)
    made_of = (*first.edits, *second.edits), (first.attempt, second.attempt)
    sides = first.edited_image, second.instruction, second.edited_image
    id_ = pair_id(*sides)
    chain = Triplet(id_, "chain", first.scene, first.source, *made_of, *sides, second.scores)
    FORMATS["multiturn"](data_set_of([first, chain]), tmp_path / "out", images)
    row = orjson.loads((tmp_path / "out" / "metadata.jsonl").read_bytes())
    turns = row["data"]
    assert [turn["prompt"] for turn in turns] == [first.instruction, second.instruction]
    assert turns[0]["output_images"] == turns[1]["input_images"]
    names = (*turns[0]["input_images"], *turns[0]["output_images"], *turns[1]["output_images"])
    there = [(tmp_path / "out" / name).read_bytes() for name in names]
    pictures = first.source_image, first.edited_image, second.edited_image
    assert there == [images.get(image) for image in pictures]
    pairs = [one for one in open_dataset(tmp_path / "out").samples() if isinstance(one, Sample)]
    assert [one.instruction for one in pairs] == [first.instruction, second.instruction]
    with pytest.raises(UserError, match=r"holds no chain; mine with --set multiply\.chains_per_source"):
        FORMATS["multiturn"](data_set_of([first]), tmp_path / "none", images)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["preference", "diffusion-dpo"])
def test_preferences_are_two_edits_of_one_source_and_instruction(
    name: str, tmp_path: Path, images: ImageStore
) -> None:
    data = full_set(images)
    FORMATS[name](data, tmp_path / "out", images)
    rows = list(parquet_rows(tmp_path / "out"))
    assert len(rows) == len(data.rejected)
    chosen_of = {images.get(one.edited_image): one for one in data.triplets}
    lefts = 0
    for row in rows:
        if name == "preference":
            source, left, right = (
                row[key]["bytes"]  # type: ignore[index]
                for key in ("source_img", "left_output_image", "right_output_image")
            )
            is_left, said = row["vote_type"] == "leftvote", row["instruction"]
        else:
            source, left, right = (row[key] for key in ("source_jpg", "jpg_0", "jpg_1"))
            is_left, said = row["label_0"] == 1.0, row["caption"]
        lefts += is_left
        chosen, rejected = (left, right) if is_left else (right, left)
        one = chosen_of[chosen]
        assert (said, source) == (one.instruction, images.get(one.source_image))
        stopped = next(pair for pair in data.rejected if images.get(pair.edited_image) == rejected)
        assert stopped.instruction == said
        assert row["reason"] == stopped.reason
        if stopped.scores is None:
            assert row["margin"] is None
        else:
            gap = one.scores.geometric_mean - stopped.scores.geometric_mean
            assert row["margin"] == pytest.approx(gap, abs=1e-4)
    assert 0 < lefts < len(rows)


def test_preference_scores_stand_on_the_side_of_their_picture(tmp_path: Path, images: ImageStore) -> None:
    one = triplet(1, images)
    stopped = worse(one, "adherence", images, Scores(3.2, 4.6))
    FORMATS["preference"](data_set_of([one], [stopped]), tmp_path / "out", images)
    (row,) = parquet_rows(tmp_path / "out")
    good, bad = ("left", "right") if row["vote_type"] == "leftvote" else ("right", "left")
    assert row[f"{bad}_instruction_following_score"] == pytest.approx(3.2)
    assert row[f"{bad}_overall_score"] == pytest.approx(7.8)
    assert row[f"{good}_instruction_following_score"] == pytest.approx(one.scores.adherence)
    assert row["rejected_scored_by"] == "validator"


def test_a_judge_that_failed_makes_no_preference(tmp_path: Path, images: ImageStore) -> None:
    one = triplet(1, images)
    data = data_set_of([one], [worse(one, "soft_unscored_timeout", images)])
    with pytest.raises(UserError, match="nothing to export"):
        FORMATS["preference"](data, tmp_path / "out", images)


def test_splits_are_folders_that_are_data_sets_of_their_own(tmp_path: Path, images: ImageStore) -> None:
    data = full_set(images)
    splits = {
        one.id: "test" if one.source.id == data.triplets[0].source.id else "train" for one in data.triplets
    }
    for name, reader in READERS.items():
        split = DataSet(data.name, data.triplets, data.origins, splits=splits)
        FORMATS[name](split, tmp_path / name, images)
        for part in ("test", "train"):
            rows = [one for one in data.triplets if splits[one.id] == part]
            assert sorted(reader(tmp_path / name / part)) == expected(rows, images)
    assert "| test | 4 |" in (tmp_path / "hf/README.md").read_text(encoding="utf-8")


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5, unique=True))
def test_any_instruction_survives_every_format(
    tmp_path_factory: pytest.TempPathFactory, instructions: list[str]
) -> None:
    base = tmp_path_factory.mktemp("any")
    images = ImageStore(base / "images")
    made = [triplet(n, images, instruction=text) for n, text in enumerate(instructions)]
    for name, reader in READERS.items():
        FORMATS[name](data_set_of(made), base / name, images)
        assert sorted(row[0] for row in reader(base / name)) == sorted(instructions)
