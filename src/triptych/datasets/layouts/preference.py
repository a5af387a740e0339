"""Preferences with the columns of EditReward-Data, and why: gate, reason and margin of the rejected edit.

Scores are ours, 1..5 for each axis (EditReward-Data: 1..4); `overall` is their sum, as there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files, loaded_ahead
from triptych.datasets.images import Images, read_published
from triptych.datasets.layout import Found, Layout
from triptych.datasets.parquet import ShardWriter, need_pyarrow, read_rows
from triptych.datasets.preferences import Preference, explained, preference_rows, preferences_of

_COLUMNS = {
    "key": "string",
    "instruction": "string",
    "source_img": "image",
    "left_output_image": "image",
    "right_output_image": "image",
    "left_model": "string",
    "right_model": "string",
    "left_overall_score": "float",
    "left_instruction_following_score": "float",
    "left_quality_aesthetic_score": "float",
    "right_overall_score": "float",
    "right_instruction_following_score": "float",
    "right_quality_aesthetic_score": "float",
    "vote_type": "string",
    "chosen_id": "string",
    "rejected_id": "string",
    "gate": "string",
    "reason": "string",
    "rejected_scored_by": "string",
    "margin": "double",
    "category": "string",
    "kind": "string",
}


def _write(data: DataSet, files: Files, images: Images) -> None:
    models = {
        spec.id: f"{spec.backend}@{spec.revision}"
        for origin in data.origins
        for spec in origin.specs.values()
    }

    def load(one: Preference) -> tuple[Preference, list[bytes]]:
        return one, [read_published(images, image) for image in one.images]

    with ShardWriter(files, "data", _COLUMNS) as shards:
        for one, pictures in loaded_ahead(preferences_of(data), load):
            row: dict[str, object] = {
                "key": one.id,
                "instruction": one.chosen.instruction,
                **_sides(one, models),
                "vote_type": "leftvote" if one.chosen_is_left else "rightvote",
                "rejected_scored_by": one.rejected_scores[1],
                **explained(one),
            }
            names = ("source_img", "left_output_image", "right_output_image")
            for name, image, picture in zip(names, one.images, pictures, strict=True):
                row[name] = {"bytes": picture, "path": images.path(image).name}
                files.count(image, len(picture))
            shards.add(row, sum(map(len, pictures)))


def _sides(one: Preference, models: Mapping[str, str]) -> dict[str, object]:
    chosen = (one.chosen.attempt.spec_id, one.chosen.scores)
    rejected = (one.rejected.attempt.spec_id, one.rejected_scores[0])
    sides = (chosen, rejected) if one.chosen_is_left else (rejected, chosen)
    row: dict[str, object] = {}
    for side, (spec, scores) in zip(("left", "right"), sides, strict=True):
        row[f"{side}_model"] = models.get(spec, spec)
        row[f"{side}_overall_score"] = scores and scores.adherence + scores.aesthetics
        row[f"{side}_instruction_following_score"] = scores and scores.adherence
        row[f"{side}_quality_aesthetic_score"] = scores and scores.aesthetics
    return row


def _read(files: Files) -> Iterator[Found]:
    columns = ("key", "instruction", "source_img", "left_output_image", "right_output_image")
    for id_, instruction, *pictures in read_rows(sorted(files.part.glob("data-*.parquet")), columns):
        views = tuple(memoryview(picture["bytes"].as_buffer()) for picture in pictures)
        yield Found(id_.as_py(), instruction.as_py(), views)


def _configs(splits: Sequence[str]) -> list[dict[str, object]]:
    files = [
        {"split": name or "train", "path": f"{name}/*.parquet" if name else "data-*.parquet"}
        for name in splits
    ]
    return [{"config_name": "default", "data_files": files, "default": True}]


PREFERENCE = Layout(
    name="preference",
    summary="Reward models: EditReward-Data's columns in Parquet, with the reason and the margin",
    loading="""\
```python
from datasets import load_dataset

data = load_dataset("{home}", split="train")
data[0]["source_img"], data[0]["left_output_image"], data[0]["right_output_image"], data[0]["vote_type"]
```

Scores are 1..5 an axis. Where `rejected_scored_by` is `soft_filter`, the validator never saw the rejected
edit: its scores are another judge's, and there is no `margin`.""",
    write=_write,
    read=_read,
    rows=preference_rows,
    configs=_configs,
    needs=need_pyarrow,
)
