"""Croissant metadata is what its own library accepts, and loads through it as the ledger has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datasets.made import data_set_of, triplets
from triptych.datasets.layouts import FORMATS
from triptych.ledger.images import ImageStore

pytestmark = pytest.mark.filterwarnings("ignore")  # its own


@pytest.mark.parametrize("name", ["nhr", "hf"])
@pytest.mark.parametrize("split", [False, True])
def test_the_library_accepts_it_and_reads_every_triplet(name: str, split: bool, tmp_path: Path) -> None:
    croissant = pytest.importorskip("mlcroissant")
    images = ImageStore(tmp_path / "images")
    made = triplets(6, images)
    data = data_set_of(made)
    if split:
        splits = {one.id: "train" if place < 4 else "test" for place, one in enumerate(made)}
        data = type(data)(data.name, made, data.origins, splits=splits)
    FORMATS[name](data, tmp_path / "out", images)
    dataset = croissant.Dataset(jsonld=tmp_path / "out" / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    rows = list(dataset.records("triplets"))
    assert len(rows) == len(made)
    said = {row["triplets/sample_id"].decode(): row["triplets/edit_instruction"].decode() for row in rows}
    assert said == {one.id: one.instruction for one in made}
