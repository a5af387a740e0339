"""Data sets as other hands publish them, small: the containers and columns that docs/audit.md names."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.datasets.made import picture

WORDS = ("Add a duck", "Remove the tree")
Files = tuple[tuple[bytes, bytes], ...]
PICTURES: Files = tuple((picture(number), picture(100 + number)) for number in range(len(WORDS)))


def _struct(data: bytes) -> dict[str, object]:
    return {"bytes": data, "path": None}


def parquet_file(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def _lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _files(folder: Path, pattern: str = "images/{n}_{side}.jpg") -> list[tuple[str, str]]:
    """Write every picture; the names of each pair."""
    names = []
    for n, sides in enumerate(PICTURES):
        pair = [pattern.format(n=n, side=side) for side in ("in", "out")]
        for name, data in zip(pair, sides, strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        names.append((pair[0], pair[1]))
    return names


def tar(path: Path, members: Mapping[str, bytes]) -> None:
    """A plain tar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def instruct_pix2pix(folder: Path) -> None:
    rows = [
        {
            "original_prompt": "a pond",
            "original_image": _struct(before),
            "edit_prompt": text,
            "edited_prompt": "a pond with a duck",
            "edited_image": _struct(after),
        }
        for text, (before, after) in zip(WORDS, PICTURES, strict=True)
    ]
    parquet_file(folder / "data/train-00000-of-00001.parquet", rows)


def magicbrush(folder: Path) -> None:
    rows = [
        {
            "img_id": "7",
            "turn_index": turn + 1,
            "source_img": _struct(before),
            "mask_img": _struct(before),
            "instruction": text,
            "target_img": _struct(after),
        }
        for turn, (text, (before, after)) in enumerate(zip(WORDS, PICTURES, strict=True))
    ]
    parquet_file(folder / "train.parquet", rows)


def omni_edit(folder: Path) -> None:
    rows = [
        {
            "omni_edit_id": f"task_{n}",
            "task": "addition",
            "src_img": _struct(before),
            "edited_img": _struct(after),
            "edited_prompt_list": [text, "said otherwise"],
            "o_score": 9.0,
        }
        for n, (text, (before, after)) in enumerate(zip(WORDS, PICTURES, strict=True))
    ]
    parquet_file(folder / "dev.parquet", rows)


def hq_edit(folder: Path) -> None:
    """`input` and `output` are captions here, and one of them ends like a file."""
    rows = [
        {
            "input": "a photo called pond.jpg",
            "input_image": _struct(before),
            "edit": text,
            "inverse_edit": "undo",
            "output": "a pond, duck.png",
            "output_image": _struct(after),
        }
        for text, (before, after) in zip(WORDS, PICTURES, strict=True)
    ]
    parquet_file(folder / "train.parquet", rows)


def any_edit(folder: Path) -> None:
    names = _files(folder)
    rows = [
        {
            "image_id": str(n),
            "edit_instruction": text,
            "edit_type": "add",
            "image_file": before,
            "edited_file": after,
            "input": "a pond",
            "output": "a pond with a duck",
        }
        for n, (text, (before, after)) in enumerate(zip(WORDS, names, strict=True))
    ]
    (folder / "train.json").write_text(json.dumps(rows))


def gpt_image_edit(folder: Path) -> None:
    """`input` and `output` are files here, in tars; `source` would be none."""
    members = {}
    rows = []
    for n, (text, (before, after)) in enumerate(zip(WORDS, PICTURES, strict=True)):
        members |= {f"hqedit/input/{n}.png": before, f"hqedit/output/{n}.png": after}
        rows.append(
            {
                "dataset_source": "hqedit",
                "task": "edit",
                "input": f"hqedit/input/{n}.png",
                "output": f"hqedit/output/{n}.png",
                "instruction": text,
                "instruction_type": "original",
                "input_description": "a pond.jpg",
            }
        )
    tar(folder / "gpt-edit/hqedit/00.tar", members)
    (folder / "hqedit.json").write_text(json.dumps(rows))


def seed_data_edit(folder: Path) -> None:
    members = {}
    rows = []
    for n, (text, (before, after)) in enumerate(zip(WORDS, PICTURES, strict=True)):
        members |= {f"openimages/source/{n}.jpg": before, f"openimages/target/{n}.jpg": after}
        rows.append(
            {
                "source_image": f"source/{n}.jpg",
                "target_image": f"target/{n}.jpg",
                "instruction": text,
            }
        )
    tar(folder / "split_0.tar", members)
    _lines(folder / "annotations/split_0.jsonl", rows)  # type: ignore[arg-type]


def img_edit(folder: Path) -> None:
    names = _files(folder)
    rows = [
        {"input_images": [before], "output_images": [after], "prompt": text, "task": "add"}
        for text, (before, after) in zip(WORDS, names, strict=True)
    ]
    parquet_file(folder / "index.parquet", rows)


def img_edit_turns(folder: Path) -> None:
    names = _files(folder)
    turns = [
        {"input_images": [before], "output_images": [after], "prompt": text}
        for text, (before, after) in zip(WORDS, names, strict=True)
    ]
    (folder / "multi_turn.json").write_text(json.dumps([{"type": "memory", "data": turns}]))


def pico_banana(folder: Path) -> None:
    """Sources are links; what was fetched lies here under its full name."""
    names = _files(folder, "images/{n}_{side}_a.b.jpg")
    rows = [
        {
            "open_image_input_url": f"https://example.org/train/{before.rsplit('/', 1)[1]}",
            "text": text,
            "output_image": after,
            "edit_type": "Add a new object",
            "summarized_text": "shorter",
        }
        for text, (before, after) in zip(WORDS, names, strict=True)
    ]
    _lines(folder / "sft.jsonl", rows)  # type: ignore[arg-type]


def x2_edit(folder: Path) -> None:
    members = {}
    for n, (text, (before, after)) in enumerate(zip(WORDS, PICTURES, strict=True)):
        about = {"instruction": text, "label": 0, "task": "addition", "score": 4.5}
        members |= {
            f"{n:06}.1.jpg": before,
            f"{n:06}.2.jpg": after,
            f"{n:06}.json": json.dumps(about).encode(),
        }
    tar(folder / "00000.tar", members)


def raw_pix2pix(folder: Path) -> None:
    for n, (text, (before, after)) in enumerate(zip(WORDS, PICTURES, strict=True)):
        inside = folder / f"{n:07}"
        inside.mkdir(parents=True)
        (inside / "prompt.json").write_text(json.dumps({"input": "a", "edit": text, "output": "b"}))
        (inside / "42_0.jpg").write_bytes(before)
        (inside / "42_1.jpg").write_bytes(after)
    (folder / "seeds.json").write_text(json.dumps([[f"{n:07}", ["42"]] for n in range(len(WORDS))]))


def image_folder(folder: Path) -> None:
    """As `datasets` reads it, with CSV."""
    names = _files(folder)
    lines = ["source_image_file_name,edited_image_file_name,edit_instruction"]
    lines += [f"{before},{after},{text}" for text, (before, after) in zip(WORDS, names, strict=True)]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")


def saved_to_disk(folder: Path) -> None:
    """As `DatasetDict.save_to_disk` of `datasets`: Arrow streams, and JSON that holds no record."""
    rows = [
        {"source_image": _struct(before), "edit_prompt": text, "edited_image": _struct(after)}
        for text, (before, after) in zip(WORDS, PICTURES, strict=True)
    ]
    table = pa.Table.from_pylist(rows)
    (folder / "train").mkdir(parents=True)
    with pa.ipc.new_stream(folder / "train/data-00000-of-00001.arrow", table.schema) as stream:
        stream.write_table(table, max_chunksize=1)
    (folder / "train/state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    (folder / "train/dataset_info.json").write_text('{"description": "", "features": {}}')
    (folder / "dataset_dict.json").write_text('{"splits": ["train"]}')


def bagel(folder: Path) -> None:
    """One record of two steps: the second starts from what the first made."""
    images = [PICTURES[0][0], PICTURES[0][1], PICTURES[1][1]]
    parquet_file(
        folder / "chunk.parquet", [{"image_list": images, "instruction_list": [[word] for word in WORDS]}]
    )


def edit_reward(folder: Path) -> None:
    """Two edits of one source, under one instruction."""
    row = {
        "key": "k",
        "instruction": WORDS[0],
        "source_img": _struct(PICTURES[0][0]),
        "left_output_image": _struct(PICTURES[0][1]),
        "right_output_image": _struct(PICTURES[1][1]),
        "vote_type": "leftvote",
    }
    parquet_file(folder / "train.parquet", [row])


LAYOUTS: dict[str, Callable[[Path], None]] = {
    layout.__name__: layout
    for layout in (
        instruct_pix2pix,
        magicbrush,
        omni_edit,
        hq_edit,
        any_edit,
        gpt_image_edit,
        seed_data_edit,
        img_edit,
        img_edit_turns,
        pico_banana,
        x2_edit,
        raw_pix2pix,
        image_folder,
        saved_to_disk,
    )
}
