"""Anybody's data set is read as the pairs that it holds, and its broken rows are counted, never fatal."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.foreign import (
    LAYOUTS,
    PICTURES,
    WORDS,
    bagel,
    edit_reward,
    image_folder,
    parquet_file,
    seed_data_edit,
    x2_edit,
)
from tests.datasets.made import data_set_of, picture, triplets, worse
from triptych.datasets.adapters.fields import fields_of, is_edit_record
from triptych.datasets.adapters.opening import open_dataset
from triptych.datasets.adapters.sample import Sample, Skipped, Unusable
from triptych.datasets.images import MarkedImages
from triptych.datasets.layouts import FORMATS
from triptych.datasets.marking import is_image
from triptych.errors import UserError
from triptych.ledger.images import ImageStore

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "triplets"


def read(path: Path, most: int | None = None) -> tuple[list[Sample], Counter[str]]:
    """The pairs, and the reasons of the rows that gave none."""
    rows = list(open_dataset(path).samples(most))
    skipped = Counter(row.reason for row in rows if isinstance(row, Skipped))
    return [row for row in rows if isinstance(row, Sample)], skipped


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_layout_gives_its_pairs(layout: str, tmp_path: Path) -> None:
    LAYOUTS[layout](tmp_path / layout)
    pairs, skipped = read(tmp_path / layout)
    assert not skipped
    assert [(one.source, one.instruction, one.edited) for one in pairs] == [
        (before, text, after) for text, (before, after) in zip(WORDS, PICTURES, strict=True)
    ]


def test_a_chain_and_two_edits_of_one_source_give_several_pairs(tmp_path: Path) -> None:
    bagel(tmp_path / "bagel")
    first, second = read(tmp_path / "bagel")[0]
    assert first.edited == second.source
    assert (first.instruction, second.instruction) == WORDS
    edit_reward(tmp_path / "rewards")
    left, right = read(tmp_path / "rewards")[0]
    assert left.source == right.source
    assert left.edited != right.edited


@pytest.mark.parametrize("layout", [name for name in FORMATS if name not in ("lance", "multiturn")])
def test_every_export_of_ours_is_read_again(layout: str, tmp_path: Path) -> None:
    images = ImageStore(tmp_path / "images")
    made = triplets(4, images)
    data = data_set_of(made, [worse(made[0], "dust", images)])
    FORMATS[layout](data, tmp_path / "export", MarkedImages(images, frozenset()))
    pairs, skipped = read(tmp_path / "export")
    assert not skipped
    known = {(one.source_image, one.instruction, one.edited_image) for one in made}
    found = {
        next((key for key in known if key[1] == one.instruction and is_image(one.edited, key[2])), None)
        for one in pairs
    }
    wanted = (
        known
        if layout not in ("preference", "diffusion-dpo")
        else {key for key in known if key[1] == made[0].instruction}
    )
    assert wanted <= found


def test_rows_that_give_no_pair_are_counted_by_reason(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(picture(5))
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(picture(1))
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    good = {"source_image": "a.jpg", "instruction": "Add", "edited_image": "a.jpg"}
    rows = [
        good,
        {**good, "source_image": "absent.jpg"},
        {**good, "instruction": None},
        {**good, "instruction": "  "},
        {**good, "edited_image": None},
        {**good, "source_image": "../secret.jpg"},
        {**good, "source_image": str(tmp_path / "secret.jpg")},
        {**good, "source_image": "link.jpg"},
        {**good, "source_image": "https://example.org/b.jpg"},
        {**good, "source_image": "https://[no link/b.jpg"},
        {**good, "source_image": 300 * "a" + ".jpg"},
        {**good, "edited_image": "a\0b.jpg"},
        {"source_image": ["a.jpg", "a.jpg"], "instruction": "Mix", "edited_image": "a.jpg"},
        {"instruction": "Nothing else"},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows) + "{no json\n[1]\n\n"
    (folder / "data.jsonl").write_text(text)
    pairs, skipped = read(folder)
    assert len(pairs) == 1
    assert skipped == {
        "missing_file": 3,
        "no_instruction": 2,
        "no_picture": 2,
        "outside_folder": 3,
        "not_downloaded": 2,
        "several_pictures": 1,
        "bad_record": 2,
    }


def test_damaged_files_leave_the_others(tmp_path: Path) -> None:
    x2_edit(tmp_path)
    whole = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00001.tar").write_bytes(whole[: len(whole) // 2])
    pairs, skipped = read(tmp_path)
    assert len(pairs) >= 3 - 1
    assert skipped == {"damaged_file": 1}
    LAYOUTS["magicbrush"](tmp_path / "brush")
    (tmp_path / "brush" / "second.parquet").write_bytes(b"PAR1 no more")
    pairs, _ = read(tmp_path / "brush")
    assert len(pairs) == 2


def test_a_sample_is_drawn_over_all_files_and_repeats(tmp_path: Path) -> None:
    for n in range(5):
        image_folder(tmp_path / str(n))
    names = [one.name for one in read(tmp_path, 6)[0]]
    assert len(names) == 6
    assert names == [one.name for one in read(tmp_path, 6)[0]]
    assert len(read(tmp_path, 600)[0]) == 10
    others = [row.name for row in open_dataset(tmp_path).samples(6, seed=1) if isinstance(row, Sample)]
    assert others != names


def test_tars_are_sampled_like_other_files(tmp_path: Path) -> None:
    x2_edit(tmp_path)
    assert len(read(tmp_path, 1)[0]) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_parquet_sample_reads_the_rows_it_drew(seed: int, tmp_path: Path) -> None:
    LAYOUTS["omni_edit"](tmp_path)
    everything = {one.name: one for one in read(tmp_path)[0]}
    for row in open_dataset(tmp_path).samples(1, seed):
        assert isinstance(row, Sample)
        assert everything[row.name] == row


def test_what_holds_no_pairs_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"docs/audit\.md"):
        open_dataset(tmp_path)
    (tmp_path / "captions.jsonl").write_text('{"image": "a.jpg", "caption": "a pond"}\n')
    with pytest.raises(UserError, match=r"captions\.jsonl:1 has caption, image"):
        open_dataset(tmp_path)
    row = {"image": {"bytes": picture(1), "path": None}, "caption": "a pond"}
    parquet_file(tmp_path / "foreign" / "a.parquet", [row])
    with pytest.raises(UserError, match=r"a\.parquet:0 has caption, image.*rename them to source_image"):
        open_dataset(tmp_path / "foreign")
    parquet_file(tmp_path / "numbers" / "a.parquet", [{"width": 3, "text": "a pond"}])
    with pytest.raises(UserError, match=r"a\.parquet:0 has text, width"):
        open_dataset(tmp_path / "numbers")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UserError, match="no data set that is known"):
        open_dataset(tmp_path / "notes.txt")


def test_split_tars_are_looked_into_by_the_end_of_a_name(tmp_path: Path) -> None:
    seed_data_edit(tmp_path)
    assert len(read(tmp_path)[0]) == 2


SIMPLE = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)
VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
COLUMNS = st.sampled_from(
    [
        "source_image",
        "edited_image",
        "instruction",
        "input",
        "output",
        "data",
        "image_list",
        "instruction_list",
        "image",
        "text",
        "category",
        "edited_prompt_list",
        "left_output_image",
        "right_output_image",
        "id",
    ]
)


@given(st.dictionaries(COLUMNS, VALUES, max_size=8))
def test_any_record_gives_pairs_or_a_reason(record: dict[str, object]) -> None:
    is_edit_record(record)
    with suppress(Unusable):
        for fields in fields_of(record):
            assert fields.instruction is None or fields.instruction.strip()


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data isn't here")
def test_the_sixty_real_pairs_are_read() -> None:
    pairs, skipped = read(SHARED)
    assert len(pairs) == 60
    assert not skipped
    assert Counter(one.category for one in pairs) == {"magicbrush": 22, "whatsup": 16, "kubric": 22}
