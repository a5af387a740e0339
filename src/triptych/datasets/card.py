"""The card of a data set: what is in it, how it was made, what it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import yaml

from triptych.datasets.dataset import DataSet, ExportReport, counts, thresholds
from triptych.mining.select import Triplet
from triptych.records import RoleName, Spec

_LONGEST_TABLE = 40
_EMBEDDED = "triptych.backends.studio"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(data: DataSet, triplets: Sequence[Triplet], report: ExportReport) -> str:
    """The card, in Markdown with the YAML head that the Hugging Face Hub reads."""
    tallies = counts(triplets)
    parts = [
        _head(data.name, report.triplets),
        f"# {data.name}\n\n{report.triplets:,} triplets ⟨source image, instruction, edited image⟩ for image"
        f" editing, with {report.images:,} pictures ({report.bytes / 1e6:,.1f} MB). Written, painted, edited"
        f" and judged by machines, without people in the loop. Data set hash: `{report.dataset_hash}`.",
        _loading(data.name),
        "## Where the pictures come from\n\n" + "\n".join(_origin(data.specs, tallies["origin"])),
        "## What is in it",
        *(_tally(name, tally) for name, tally in tallies.items() if name != "origin"),
        "## What was accepted\n\nOf each (source, instruction) the attempt with the highest"
        " √(adherence·aesthetics) among those that passed:\n\n"
        + _markdown(("gate", "asks for"), thresholds(data.recipe.rule).items()),
        "## Who made and judged it\n\n"
        + _markdown(
            ("role", "back end", "revision", "spec"),
            (
                (role, f"`{spec.backend}`", f"`{spec.revision}`", f"`{spec.id}`")
                for role, spec in sorted(data.specs.items())
            ),
        ),
    ]
    if data.funnel:
        rows = ((stage.replace("_", " "), f"{count:,}") for stage, count in data.funnel.items())
        parts.append("## From scenes to triplets\n\n" + _markdown(("stage", "count"), rows))
    parts.append(
        "## Licence\n\nNone is claimed here: what these pictures may be used for follows from the licences of"
        " the models and photographs named above. State it before publishing."
    )
    return "\n\n".join(parts) + "\n"


def _head(name: str, count: int) -> str:
    size = next((label for bound, label in _SIZES if count < bound), "n>1M")
    fields = {
        "pretty_name": name,
        "language": ["en"],
        "task_categories": ["image-to-image"],
        "annotations_creators": ["machine-generated"],
        "size_categories": [size],
        "tags": ["image-editing", "synthetic", "triptych"],
    }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---"


def _loading(name: str) -> str:
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        f'data = load_dataset("imagefolder", data_dir="{name}", split="train")\n'
        'data = data.remove_columns(["source", "edited"])  # the same pictures under the names of NHR-Edit\n'
        'data[0]["source_image"], data[0]["edit_instruction"], data[0]["edited_image"]\n```\n\n'
        "`scores.jsonl` holds scores and lineage by `sample_id`; `export.json` the recipe, the rule and every"
        " setting."
    )


def _origin(specs: Mapping[RoleName, Spec], origins: Mapping[str, int]) -> Iterable[str]:
    if origins.get("photograph"):
        yield f"- {origins['photograph']:,} triplets start from photographs, cropped or padded to their size."
    painter = specs.get("painter")
    if origins.get("written"):
        by = f" by `{painter.backend}`" if painter else ""
        yield f"- {origins['written']:,} triplets start from pictures painted{by}."
    drawn = [role for role in ("painter", "editor") if role in specs and _is_embedded(specs[role])]
    if drawn:
        yield (
            f"- Embedded studio: {', '.join(drawn)}. A small drawn world that stands in for generative"
            " models: good for trying things out, but its pictures and flaws aren't a real model's."
        )
    judges: tuple[RoleName, ...] = ("screen", "soft_filter", "validator")
    learned = [role.replace("_", " ") for role in judges if role in specs and _is_embedded(specs[role])]
    if learned:
        yield f"- Judged by the embedded judge: {', '.join(learned)}, which learned from that world alone."


def _is_embedded(spec: Spec) -> bool:
    return spec.backend.startswith(_EMBEDDED)


def _tally(name: str, tally: Mapping[str, int]) -> str:
    rows = [(value, f"{count:,}") for value, count in tally.items()]
    rest = sum(list(tally.values())[_LONGEST_TABLE:])
    if rest:
        rows = [*rows[:_LONGEST_TABLE], (f"{len(tally) - _LONGEST_TABLE} others", f"{rest:,}")]
    return _markdown((name, "triplets"), rows)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
