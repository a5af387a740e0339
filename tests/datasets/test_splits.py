"""Near-duplicates, splits that nothing leaks across, conditions, caps, benchmarks."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.foreign import parquet_file, tar
from tests.datasets.made import inverse_of, triplet, triplets
from triptych.cli.export import lexical_vectors
from triptych.datasets.narrowing import best_of_each_source, matching, without_benchmark
from triptych.datasets.perceptual import NEAR, neighbours, perceptual_hash
from triptych.datasets.splits import parse_splits, split_by_cluster
from triptych.datasets.where import parse_condition
from triptych.errors import UserError
from triptych.ledger.images import ImageStore
from triptych.mining.select import Triplet
from triptych.pixels.picture import Picture, Pixels
from triptych.records import Attempt, Edit, Scene, Source, edit_id, pair_id, scene_id
from triptych.validator.rule import Scores

SHARES = {"train": 0.8, "test": 0.2}


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def landscape(seed: int, size: int = 160) -> Pixels:
    """Shapes of every size, the large ones stronger, as in a photograph."""
    chance = np.random.default_rng(seed)
    total = np.full((size, size, 3), 128.0)
    for cells, strength in ((4, 60), (8, 40), (16, 28), (32, 16)):
        octave = chance.uniform(-strength, strength, (cells, cells, 3))
        total += cv2.resize(octave, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(total, 0, 255).astype(np.uint8)


def encoded(pixels: Pixels) -> bytes:
    return Picture.from_pixels(pixels).encoded("jpeg")


def scene(number: int, images: ImageStore, source: Pixels, count: int = 3) -> list[Triplet]:
    """Triplets of one scene that start from this picture."""
    made = []
    before = images.put(encoded(source))
    for step in range(count):
        blank = triplet(number * 3 + step, images, instruction=f"Edit {step}", prompt=f"scene {number}")
        after = source.copy()
        after[10 + 20 * step : 25 + 20 * step, 10:40] = 255
        fields = {name: getattr(blank, name) for name in blank.__dataclass_fields__}
        edited = images.put(encoded(after))
        made.append(
            Triplet(**fields | {"source_image": before, "edited_image": edited, "id": f"{before}{step}"})
        )
    return made


def test_near_duplicates_are_neighbours_and_other_pictures_are_not() -> None:
    hashes = [perceptual_hash(encoded(landscape(seed))) for seed in range(30)]
    pixels = landscape(4)
    half = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    poor = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    pool = np.stack(
        [*hashes, perceptual_hash(encoded(half.astype(np.uint8))), perceptual_hash(poor.tobytes())]
    )
    assert set(neighbours(pool)) == {(4, 30), (4, 31), (30, 31)}
    assert set(neighbours(pool[:30], pool[30:])) == {(4, 0), (4, 1)}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 40))
def test_neighbours_are_exactly_the_pairs_within_the_distance(seed: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    base = chance.integers(0, 2, (3, 256), dtype=np.uint8)
    bits = base[chance.integers(0, 3, count)]
    for row in bits:
        row[chance.permutation(256)[: chance.integers(0, NEAR)]] ^= 1
    pool = np.packbits(bits, axis=1).view(np.uint64)
    near = {
        (one, other)
        for one in range(count)
        for other in range(one + 1, count)
        if np.count_nonzero(bits[one] != bits[other]) <= NEAR
    }
    assert set(neighbours(pool)) == near


def test_nothing_leaks_across_splits(images: ImageStore) -> None:
    made = [one for number in range(20) for one in scene(number, images, landscape(number))]
    twin = np.clip(landscape(3).astype(int) + 2, 0, 255).astype(np.uint8)
    made += scene(50, images, twin)  # another scene, whose picture is nearly that of scene 3
    made += [inverse_of(made[0], "Back it goes")]
    splits, clusters = split_by_cluster(made, SHARES, 0, images)
    assert clusters == 20
    assert splits.keys() == {one.id for one in made}
    of_scene: dict[str, set[str]] = {}
    for one in made:
        for node in (one.scene.prompt or "", one.source_image, one.edited_image):
            of_scene.setdefault(node, set()).add(splits[one.id])
    assert all(len(found) == 1 for found in of_scene.values())
    assert of_scene["scene 3"] == of_scene["scene 50"]
    assert 6 <= Counter(splits.values())["test"] <= 20


def test_splits_depend_on_the_seed_and_not_on_the_order(images: ImageStore) -> None:
    made = [one for number in range(15) for one in scene(number, images, landscape(number))]
    first, _ = split_by_cluster(made, SHARES, 0, images)
    other, _ = split_by_cluster(made, SHARES, 1, images)
    random.Random(2).shuffle(made)
    assert split_by_cluster(made, SHARES, 0, images)[0] == first
    assert other != first


def test_too_few_scenes_for_a_split_are_told(images: ImageStore) -> None:
    made = scene(0, images, landscape(0))
    with pytest.raises(UserError, match=r"'test' would be empty.*1 independent"):
        split_by_cluster(made, SHARES, 0, images)


@pytest.mark.parametrize(
    "text", ["train", "train=x", "train=0.9,train=0.1", "=1", "a/b=1", "train=-1", "", "t=inf"]
)
def test_shares_that_make_no_sense(text: str) -> None:
    with pytest.raises(UserError, match="write it like train"):
        parse_splits(text)


def test_shares_are_scaled() -> None:
    assert parse_splits("train=9, test=1") == {"train": 0.9, "test": 0.1}


def test_pictures_of_a_benchmark_are_left_out(tmp_path: Path, images: ImageStore) -> None:
    made = [one for number in range(5) for one in scene(number, images, landscape(number))]
    folder = tmp_path / "benchmark" / "deep"
    folder.mkdir(parents=True)
    small = cv2.resize(landscape(2), (100, 100), interpolation=cv2.INTER_AREA)
    (folder / "a.png").write_bytes(Picture.from_pixels(small.astype(np.uint8)).encoded("png"))
    (folder / "b.jpg").write_bytes(encoded(landscape(99)))
    (folder / "broken.jpg").write_bytes(b"no picture")
    row = {"input_image": {"bytes": encoded(landscape(3)), "path": None}, "task": "add"}
    parquet_file(folder / "train.parquet", [row])
    tar(folder / "shard.tar", {"0.png": encoded(landscape(4)), "0.cls": b"7"})
    found = without_benchmark(made, tmp_path / "benchmark", images, no_texts)
    assert {one.scene.prompt for one in found.triplets} == {f"scene {n}" for n in (0, 1)}
    assert (found.removed, found.benchmark_images, found.unreadable) == (9, 4, 1)
    with pytest.raises(UserError, match="no readable picture or instruction"):
        without_benchmark(made, tmp_path / "nothing", images, no_texts)


def no_texts(_: Sequence[str]) -> np.ndarray:
    raise AssertionError("there is no text to compare")


def test_instructions_of_a_benchmark_are_left_out(tmp_path: Path, images: ImageStore) -> None:
    made = [triplet(n, images, instruction=f"Add duck number {'abcdef'[n] * 9} here") for n in range(6)]
    folder = tmp_path / "benchmark"
    folder.mkdir()
    (folder / "prompts.txt").write_text(made[0].instruction.upper() + "\n\nsomething else\n")
    rows = [
        {"data": [{"prompt": made[1].instruction}]},
        {"instruction": None},
        {"edit": made[2].instruction + "!"},
    ]
    (folder / "turns.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = without_benchmark(made, folder, images, lexical_vectors)
    assert [one.instruction for one in found.triplets] == [one.instruction for one in made[3:]]
    assert (found.removed, found.removed_by_text, found.benchmark_texts) == (0, 3, 4)


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 5)), min_size=2, max_size=24),
    st.integers(0, 99),
)
@settings(max_examples=40)
def test_no_scene_no_image_and_no_neighbour_crosses_a_split(
    drawn: list[tuple[int, int, int]], seed: int
) -> None:
    """Triplets that share sources, edits and scenes at random; pictures 0 and 1, 2 and 3 … are neighbours."""
    with TemporaryDirectory() as folder:
        store = ImageStore(Path(folder))
        views = [landscape(number // 2) for number in range(8)]
        names = [store.put(encoded(view)) for view in views[::2]]
        names += [store.put(Picture.from_pixels(view).encoded("png")) for view in views[::2]]
        made = [_linked(place, names, *one) for place, one in enumerate(drawn)]
        try:
            splits, _ = split_by_cluster(made, {"train": 0.5, "test": 0.5}, seed, store)
        except UserError:  # all of it is one cluster
            return
        near = {frozenset(pair) for pair in zip(names[:4], names[4:], strict=True)}
        for one, other in combinations(made, 2):
            ours, theirs = ({x.source_image, x.edited_image} for x in (one, other))
            linked = one.scene.id == other.scene.id or ours & theirs
            alike = any(frozenset((a, b)) in near for a in ours for b in theirs)
            if linked or alike:
                assert splits[one.id] == splits[other.id]


def _linked(place: int, names: Sequence[str], source: int, edited: int, scene_number: int) -> Triplet:
    said = f"Edit {place}"
    scene_ = Scene(scene_id("written", f"scene {scene_number}"), "written", f"scene {scene_number}", None)
    edit = Edit(edit_id(scene_.id, said), scene_.id, 0, said, "add")
    made = Source(f"{source:032}", 0, scene_.id, "painter", 0, 48, 32, names[source], "0" * 32)
    pair = pair_id(names[source], said, names[edited])
    attempt = Attempt(f"{place:032}", 0, made.id, edit.id, "editor", 0, names[edited], "0" * 32, pair)
    sides = names[source], said, names[edited]
    return Triplet(pair, "forward", scene_, made, (edit,), (attempt,), *sides, Scores(4.8, 4.8))


def test_a_cap_keeps_the_best_of_each_source(images: ImageStore) -> None:
    made = triplets(9, images)
    kept = best_of_each_source(made, 2)
    assert len(kept) == 6
    for source in {one.source.id for one in made}:
        scores = [one.scores.geometric_mean for one in made if one.source.id == source]
        left = [one.scores.geometric_mean for one in kept if one.source.id == source]
        assert sorted(left) == sorted(scores)[1:]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("category=add_object", lambda one: one.category == "add_object"),
        (" category = add_object , season ", lambda one: one.category in ("add_object", "season")),
        ("category!=add_object", lambda one: one.category != "add_object"),
        ("style=standard", lambda one: one.scene.style is None),
        ("kind=inverse", lambda one: one.kind == "inverse"),
        ("origin=written", lambda one: True),
        ("adherence>=4.75", lambda one: one.scores.adherence >= 4.75),
        ("score<4.8", lambda one: one.scores.geometric_mean < 4.8),
        ("width=48", lambda one: one.width == 48),
        ("height>32", lambda one: False),
    ],
)
def test_conditions_choose(condition: str, holds: object, images: ImageStore) -> None:
    made = [*triplets(12, images)]
    made.append(inverse_of(made[0], "Away with it"))
    chosen = matching(made, [parse_condition(condition)])
    assert chosen == [one for one in made if holds(one)]  # type: ignore[operator]


def test_several_conditions_all_hold(images: ImageStore) -> None:
    conditions = [parse_condition(text) for text in ("category=add_object", "style!=standard")]
    chosen = matching(triplets(24, images), conditions)
    assert chosen
    assert all(one.category == "add_object" and one.scene.style for one in chosen)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("category", "is no condition"),
        ("catgory=add", "did you mean 'category'"),
        ("category>3", "= or !="),
        ("adherence>=high", "is no number"),
        ("__import__('os')=1", "is no condition"),
        ("colour=red", "there is no field"),
    ],
)
def test_conditions_that_cannot_be_read(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        parse_condition(text)
