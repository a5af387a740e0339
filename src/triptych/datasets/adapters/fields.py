"""Which columns hold source, instruction and edit: sets of names, and a look at the values.

One reader for all data sets instead of one each. A name decides together with what its value looks like:
`input` is a caption in HQ-Edit and AnyEdit and a file in GPT-Image-Edit, `source` may say where a row came
from. A record of several turns, or of several edits of one source, gives several pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from triptych.datasets.adapters.sample import Unusable

Record = Mapping[str, object]
Reference = bytes | str  # an encoded picture, or the name of its file

# In the order of trust; lower case, white space and - made _.
_SOURCES: Final = (
    "source_image",
    "source_img",
    "src_img",
    "original_image",
    "input_image",
    "source_image_file_name",
    "source_file_name",
    "image_file",
    "edit_image",
    "control_path",
    "ref_image_path",
    "input_images",
    "open_image_input_url",
    "source_jpg",
    "source",
    "original",
    "src",
    "input",
    "image",
    "1",
)
_TARGETS: Final = (
    "edited_image",
    "target_img",
    "edited_img",
    "output_image",
    "edited_file",
    "target_image",
    "edited_image_file_name",
    "edited_file_name",
    "image_path",
    "output_images",
    "edited",
    "target",
    "output",
    "image",
    "2",
)
_TEXTS: Final = (
    "edit_instruction",
    "instruction",
    "edit_prompt",
    "edit",
    "prompt",
    "text",
    "edited_prompt_list",
    "caption",
    "txt",
)
_CATEGORIES: Final = ("category", "edit_type", "task", "instruction_type", "type", "set")
_NAMES: Final = ("sample_id", "id", "omni_edit_id", "key", "image_id", "img_id", "idx", "__key__")
_SIDES: Final = (("left_output_image", "right_output_image"), ("jpg_0", "jpg_1"))  # two edits of one source
_CHAIN: Final = ("image_list", "instruction_list")  # BAGEL: n pictures, n - 1 steps
_TURNS: Final = "data"  # ImgEdit's multi-turn records: a list of records

KNOWN: Final = frozenset(
    (*_SOURCES, *_TARGETS, *_TEXTS, *_CATEGORIES, *_NAMES, *_CHAIN, *chain(*_SIDES), _TURNS, "turn_index")
)
_PICTURES: Final = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".avif"}
_SURE: Final = frozenset(
    {*_SOURCES, *_TARGETS} - {"source", "input", "output", "image", "target", "edited", "1", "2"}
)


@dataclass(frozen=True, slots=True)
class Fields:
    """One pair's parts, by reference; None where the record has the column and nothing in it."""

    source: Reference | None
    instruction: str | None
    edited: Reference | None
    category: str | None
    name: str | None


def plain_name(column: str) -> str:
    """The column as the sets above spell it."""
    return "_".join(column.strip().lower().replace("-", " ").split())


def is_edit_record(record: Record) -> bool:
    """Whether a record gives a pair with all its parts."""
    try:
        return any(one.source and one.instruction and one.edited for one in fields_of(record))
    except Unusable:
        return False


def fields_of(record: Record) -> Iterator[Fields]:
    """The pairs of a record. Unusable where the columns for a part are missing, or hold something else."""
    named = {plain_name(key): value for key, value in record.items()}
    turns = _mappings(named.get(_TURNS))
    if turns:
        for turn in turns:
            yield from fields_of(turn)
        return
    category, name = _said(named, _CATEGORIES), _name(named)
    if all(column in named for column in _CHAIN):
        yield from _steps(named, category, name)
        return
    source = _picture(named, _column(named, _SOURCES))
    instruction = _text(named)
    for sides in _SIDES:
        if all(side in named for side in sides):
            for side in sides:
                yield Fields(source, instruction, _reference(named[side]), category, name)
            return
    yield Fields(source, instruction, _picture(named, _target_column(named)), category, name)


def texts_of(record: Record) -> Iterator[str]:
    """The instructions of a record, pictures or not."""
    named = {plain_name(key): value for key, value in record.items()}
    turns = _mappings(named.get(_TURNS))
    for turn in turns:
        yield from texts_of(turn)
    if not turns:
        text = next((text for name in _TEXTS if (text := _first_text(named.get(name))) is not None), None)
        if text is not None:
            yield text


def pictures_of(record: Record) -> Iterator[bytes]:
    """The encoded pictures in a record, a whole pair or not; those that it only names aren't among them."""
    for column, value in record.items():
        name = plain_name(column)
        if name in KNOWN or f".{name.rpartition('.')[2]}" in _PICTURES:
            yield from _bytes_in(value)


def _bytes_in(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        yield from _bytes_in(value.get("bytes"))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _bytes_in(one)


def _steps(named: Record, category: str | None, name: str | None) -> Iterator[Fields]:
    images, steps = named["image_list"], named["instruction_list"]
    if not isinstance(images, Sequence) or not isinstance(steps, Sequence) or len(images) != len(steps) + 1:
        raise Unusable("bad_record")
    for before, step, after in zip(images, steps, images[1:], strict=False):
        yield Fields(_reference(before), _first_text(step), _reference(after), category, name)


def _mappings(value: object) -> list[Record]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return []
    return [one for one in value if isinstance(one, Mapping)]


def _target_column(named: Record) -> str | None:
    """As `_column`, for the target: `image` is one only where another column is the source."""
    source = _column(named, _SOURCES)
    return _column(named, (name for name in _TARGETS if name != source))


def _column(named: Record, names: Iterable[str]) -> str | None:
    """The first of these columns that holds a picture, else the first that is for one and empty."""
    empty: str | None = None
    for name in names:
        if name not in named:
            continue
        if _looks_like_picture(named[name], sure=name in _SURE):
            return name
        if empty is None and name in _SURE and _is_empty(named[name]):
            empty = name
    return empty


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, Mapping) and not any(value.values()))


def _looks_like_picture(value: object, *, sure: bool) -> bool:
    """Whether it is encoded bytes or a file's name; a link without a suffix only in a column for pictures."""
    if isinstance(value, str):
        return _suffix(value) in _PICTURES or (sure and "://" in value)
    if isinstance(value, Mapping):
        return value.get("bytes") is not None or bool(value.get("path"))
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return bool(value) and _looks_like_picture(value[0], sure=sure)
    return isinstance(value, bytes)


def _suffix(name: str) -> str:
    try:
        return PurePosixPath(urlsplit(name).path if "://" in name else name).suffix.lower()
    except ValueError:  # a link that can't be read as one
        return ""


def _picture(named: Record, column: str | None) -> Reference | None:
    if column is None:
        raise Unusable("no_picture")
    return _reference(named[column])


def _reference(value: object) -> Reference | None:
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if len(value) > 1:
            raise Unusable("several_pictures")  # made of several sources: no pair
        return _reference(value[0]) if value else None
    if isinstance(value, bytes | str) and value:
        return value
    return None


def _text(named: Record) -> str | None:
    found = False
    for name in _TEXTS:
        if name in named:
            found = True
            text = _first_text(named[name])
            if text is not None:
                return text
    if not found:
        raise Unusable("no_instruction")
    return None


def _first_text(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bytes):
        return _first_text(value.decode("utf-8", "replace"))
    if isinstance(value, Sequence) and value:
        return _first_text(value[0])
    return None


def _said(named: Record, names: Iterable[str]) -> str | None:
    for name in names:
        value = named.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _name(named: Record) -> str | None:
    for name in _NAMES:
        value = named.get(name)
        if isinstance(value, str | int) and value != "":
            turn = named.get("turn_index")
            return f"{value}" if turn is None else f"{value}/{turn}"
    return None
