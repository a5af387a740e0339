"""Exports through the loaders of those who consume them, where these install from PyPI."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.made import data_set_of, inverse_of, triplets, worse
from triptych.datasets.dataset import DataSet
from triptych.datasets.images import MarkedImages
from triptych.datasets.layouts import FORMATS
from triptych.ledger.images import ImageStore
from triptych.pixels.picture import Picture

COUNT = 250


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return ImageStore(tmp_path_factory.mktemp("ledger") / "images")


@pytest.fixture(scope="module")
def data(images: ImageStore) -> DataSet:
    made = triplets(COUNT - 1, images)
    made.append(inverse_of(made[0], "Take the duck away"))
    return data_set_of(made, [worse(one, "soft_adherence", images) for one in made[:20]])


@pytest.fixture
def load_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()

    def load(*arguments: object, **settings: object) -> Any:
        return datasets.load_dataset(*arguments, cache_dir=str(tmp_path / "cache"), **settings)

    return load


def pixels(images: ImageStore, name: str) -> Any:
    return Picture.from_encoded(images.get(name)).pixels


def check_rows(rows: Any, data: DataSet, images: ImageStore) -> None:
    """Row count, ids, instructions, and every tenth row's decoded pixels."""
    by_id = {one.id: one for one in data.triplets}
    assert sorted(rows["sample_id"]) == sorted(by_id)
    for number in range(0, len(rows), 10):
        row = rows[number]
        one = by_id[row["sample_id"]]
        assert (row["edit_instruction"], row["kind"]) == (one.instruction, one.kind)
        for side, image in (("source", one.source_image), ("edited", one.edited_image)):
            from PIL import Image

            decoded = row[f"{side}_image"]
            assert isinstance(decoded, Image.Image)
            assert np.abs(np.asarray(decoded.convert("RGB"), int) - pixels(images, image)).max() <= 2


@pytest.mark.filterwarnings("ignore")
def test_datasets_loads_hf_with_image_columns_and_scores(
    tmp_path: Path, data: DataSet, images: ImageStore, load_dataset: Any
) -> None:
    FORMATS["hf"](data, tmp_path / "out", MarkedImages(images, frozenset()))
    rows = load_dataset(str(tmp_path / "out"), split="train")
    assert rows.column_names[:3] == ["source_image", "edited_image", "edit_instruction"]
    check_rows(rows, data, images)
    scores = load_dataset(str(tmp_path / "out"), "scores", split="train")
    assert {row["sample_id"]: row["adherence"] for row in scores} == {
        one.id: one.scores.adherence for one in data.triplets
    }


@pytest.mark.filterwarnings("ignore")
def test_datasets_loads_the_splits_of_hf(
    tmp_path: Path, data: DataSet, images: ImageStore, load_dataset: Any
) -> None:
    splits = {one.id: ("train", "test")[number % 2] for number, one in enumerate(data.triplets)}
    FORMATS["hf"](DataSet("made", data.triplets, data.origins, splits=splits), tmp_path / "out", images)
    for name in ("train", "test"):
        rows = load_dataset(str(tmp_path / "out"), split=name)
        assert set(rows["sample_id"]) == {id_ for id_, split in splits.items() if split == name}


@pytest.mark.filterwarnings("ignore")
def test_datasets_loads_nhr_as_an_image_folder(
    tmp_path: Path, data: DataSet, images: ImageStore, load_dataset: Any
) -> None:
    FORMATS["nhr"](data, tmp_path / "out", images)
    rows = load_dataset("imagefolder", data_dir=str(tmp_path / "out"), split="train")
    check_rows(rows.rename_columns({"source": "source_image", "edited": "edited_image"}), data, images)


@pytest.mark.filterwarnings("ignore")
def test_datasets_loads_preferences(
    tmp_path: Path, data: DataSet, images: ImageStore, load_dataset: Any
) -> None:
    FORMATS["preference"](data, tmp_path / "out", images)
    rows = load_dataset(str(tmp_path / "out"), split="train")
    assert len(rows) == len(data.rejected)
    chosen = {one.id: one for one in data.triplets}
    for row in rows:
        side = "left" if row["vote_type"] == "leftvote" else "right"
        found = np.asarray(row[f"{side}_output_image"].convert("RGB"), int)
        assert np.abs(found - pixels(images, chosen[row["chosen_id"]].edited_image)).max() <= 2


@pytest.mark.filterwarnings("ignore")  # its reader leaves files open
def test_webdataset_streams_the_shards(tmp_path: Path, data: DataSet, images: ImageStore) -> None:
    webdataset = pytest.importorskip("webdataset")
    FORMATS["webdataset"](data, tmp_path / "out", images)
    shards = [str(path) for path in sorted((tmp_path / "out").glob("*.tar"))]
    by_id = {one.id: one for one in data.triplets}
    found = 0
    for sample in webdataset.WebDataset(shards, shardshuffle=False):
        row = json.loads(sample["json"])
        one = by_id[row["sample_id"]]
        assert sample["__key__"] == one.id
        assert row["edit_instruction"] == one.instruction
        assert sample["source.jpg"] == images.get(one.source_image)
        assert sample["edited.jpg"] == images.get(one.edited_image)
        found += 1
    assert found == COUNT


def test_parquet_is_laid_out_for_the_hub(tmp_path: Path, data: DataSet, images: ImageStore) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    FORMATS["hf"](data, tmp_path / "out", images)
    (path,) = (tmp_path / "out").glob("*.parquet")
    file = parquet.ParquetFile(path)
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    assert [group.num_rows for group in groups] == [100, 100, 50]
    features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert features["source_image"] == features["edited_image"] == {"_type": "Image"}
    for group in groups:
        columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
        assert columns["source_image.bytes"].compression == "UNCOMPRESSED"
        assert columns["edit_instruction"].has_column_index
        assert all(column.has_offset_index for column in columns.values())


def test_a_row_more_leaves_most_of_the_parquet_bytes_as_they_were(
    tmp_path: Path, data: DataSet, images: ImageStore
) -> None:
    """What content-defined chunking is for: an upload of the next version sends little."""
    pytest.importorskip("pyarrow")
    rows = sorted(data.triplets, key=lambda one: one.id)
    for name, chosen in (("all", rows), ("less", rows[1:])):
        FORMATS["hf"](data_set_of(chosen), tmp_path / name, images)
    whole, less = (next((tmp_path / name).glob("*.parquet")).read_bytes() for name in ("all", "less"))
    pieces = [less[start : start + 512] for start in range(0, len(less) - 512, 4096)]
    found = sum(piece in whole for piece in pieces)
    assert found / len(pieces) > 0.8


def test_an_image_of_a_photograph_that_pillow_wrote_is_marked_and_decodes(tmp_path: Path) -> None:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(out, "JPEG")
    store = ImageStore(tmp_path)
    name = store.put(out.getvalue())
    with Image.open(io.BytesIO(MarkedImages(store, frozenset()).get(name))) as image:
        assert b"trainedAlgorithmicMedia" in image.info["xmp"]
        assert image.getpixel((5, 5)) == Image.open(out).getpixel((5, 5))
