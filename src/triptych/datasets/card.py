"""The card of a data set: what is in it, how it was made, what it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import yaml

from triptych.datasets.charts import bars
from triptych.datasets.dataset import DataSet, ExportReport, counts, thresholds
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.licences import licence_of, restricting
from triptych.datasets.marking import marked
from triptych.datasets.near_misses import near_misses, sheet
from triptych.mining.select import RejectedPair
from triptych.records import RoleName, Spec

_LONGEST_TABLE = 40
_EMBEDDED = "triptych.backends.studio"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(
    data: DataSet,
    report: ExportReport,
    loading: str,
    configs: Sequence[Mapping[str, object]],
    files: Files,
    images: Images,
) -> None:
    """Write README.md, with the YAML head that the Hugging Face Hub reads, and the pictures it shows."""
    tallies = counts(data.triplets)
    drawn = {name: tally for name, tally in tallies.items() if len(tally) > 1 or name == "category"}
    files.write("distributions.svg", bars(drawn))
    misses, picture = sheet(near_misses(data.rejected), images)
    if misses:
        files.write("near-misses.jpg", marked(picture))
    parts = [
        _head(data, report.triplets, configs),
        f"# {data.name}",
        _summary(data, report),
        f"## How to load it\n\n{loading}",
        _splits(data),
        "## Where the pictures come from\n\n" + "\n".join(_sources(data, tallies["origin"])),
        "## What is in it\n\n![Distributions](distributions.svg)",
        *(_tally(name, tally) for name, tally in tallies.items() if name != "origin"),
        _accepted(data),
        _funnel(data),
        _known_failures(misses),
        _agreement(data),
        "## Who made and judged it\n\n" + _makers(data),
        _licence(data),
    ]
    files.write("README.md", ("\n\n".join(filter(None, parts)) + "\n").encode())


def _head(data: DataSet, count: int, configs: Sequence[Mapping[str, object]]) -> str:
    size = next((label for bound, label in _SIZES if count < bound), "n>1M")
    fields: dict[str, object] = {
        "pretty_name": data.name,
        "license": data.licence or "unknown",
        "language": ["en"],
        "task_categories": ["image-to-image"],
        "annotations_creators": ["machine-generated"],
        "size_categories": [size],
        "tags": ["image-editing", "synthetic", "triptych"],
    }
    if configs:
        fields["configs"] = [dict(config) for config in configs]
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---"


def _summary(data: DataSet, report: ExportReport) -> str:
    scenes = Counter(triplet.scene.id for triplet in data.triplets)
    effective = sum(scenes.values()) ** 2 / sum(count * count for count in scenes.values())
    samples = "" if report.triplets == len(data.triplets) else f" as {report.triplets:,} samples"
    ours = all(triplet.scene.origin != "imported" for triplet in data.triplets)
    made = "Written, painted, edited and judged by machines" if ours else "Judged by machines"
    return (
        f"{len(data.triplets):,} triplets ⟨source image, instruction, edited image⟩ for image editing"
        f"{samples}, with {report.images:,} pictures ({report.bytes / 1e6:,.1f} MB). {made}, without people"
        f" in the loop. They come from {len(scenes):,} scenes:"
        f" {effective:,.1f} equally filled scenes would tell as much (Kish's effective sample size). Data set"
        f" hash: `{report.dataset_hash}`."
    )


def _splits(data: DataSet) -> str:
    if not data.splits:
        return ""
    sizes = Counter(data.splits[triplet.id] for triplet in data.triplets)
    return (
        "## Splits\n\nNo scene, no image and no near-duplicate (perceptual hash) is in two splits:"
        " this was checked.\n\n"
        + _markdown(("split", "triplets"), ((name, f"{count:,}") for name, count in sorted(sizes.items())))
    )


def _accepted(data: DataSet) -> str:
    text = (
        "## What was accepted\n\nOf each (source, instruction) the attempt with the highest"
        " √(adherence·aesthetics) among those that passed:"
    )
    rules = [thresholds(origin.recipe.rule) for origin in data.origins]
    same = all(rule == rules[0] for rule in rules)
    heads = ["asks for"] if same else [f"in {origin.recipe.name}" for origin in data.origins]
    shown = rules[:1] if same else rules
    text += "\n\n" + _markdown(
        ("gate", *heads), ((gate, *(rule[gate] for rule in shown)) for gate in rules[0])
    )
    if data.chosen:
        text += "\n\nAfterwards:\n\n" + _markdown(("what", "result"), data.chosen.items())
    return text


def _funnel(data: DataSet) -> str:
    origins = [origin for origin in data.origins if origin.funnel]
    if not origins:
        return ""
    stages = list(dict.fromkeys(stage for origin in origins for stage in origin.funnel))
    rows = (
        (stage.replace("_", " "), *(f"{origin.funnel.get(stage, 0):,}" for origin in origins))
        for stage in stages
    )
    heads = ["count"] if len(origins) == 1 else [origin.recipe.name for origin in origins]
    return "## From scenes to triplets\n\n" + _markdown(("stage", *heads), rows)


def _known_failures(misses: Sequence[RejectedPair]) -> str:
    if not misses:
        return ""
    rows = (
        (
            pair.instruction,
            pair.category,
            f"{pair.scores.adherence:.2f} / {pair.scores.aesthetics:.2f}" if pair.scores else "",
            pair.reason.replace("_", " "),
        )
        for pair in misses
    )
    return (
        "## Near misses\n\nThe attempts that came closest to being accepted, in the order of the picture"
        " (source, edit). What is in the data set lies just above the same threshold:"
        " flaws like theirs are in it too.\n\n![Near misses](near-misses.jpg)\n\n"
        + _markdown(("instruction", "category", "adherence / aesthetics", "stopped by"), rows)
    )


def _agreement(data: DataSet) -> str:
    text = "## How far the judge agrees with people\n\n"
    rows = [
        (origin.recipe.name, one.axis, f"{one.pairs:,}", _or_dash(one.spearman), _or_dash(one.mean_error))
        for origin in data.origins
        for one in origin.agreement
        if one.pairs
    ]
    if not rows:
        return text + "Nobody's ratings of these pairs were compared with the validator's scores."
    return (
        text
        + "The validator's scores against the mean of people's ratings, on the pairs that both scored.\n\n"
        + _markdown(("run", "axis", "pairs", "Spearman", "mean error"), rows)
    )


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _specs(data: DataSet) -> list[tuple[RoleName, Spec]]:
    """Every spec of the runs once, by role."""
    found = {(role, spec.id): spec for origin in data.origins for role, spec in origin.specs.items()}
    return [(role, spec) for (role, _), spec in sorted(found.items())]


def _makers(data: DataSet) -> str:
    rows = []
    for role, spec in _specs(data):
        licence = licence_of(spec)
        told = licence.name if licence else "not known"
        rows.append((role, f"`{spec.backend}`", f"`{spec.revision}`", told, f"`{spec.id}`"))
    return _markdown(("role", "back end", "revision", "licence of the model", "spec"), rows)


def _licence(data: DataSet) -> str:
    if data.licence:
        text = f"The publisher states `{data.licence}`."
    else:
        text = "None is claimed here, and none is known. State it before publishing (`--licence`)."
    text += (
        " What these pictures may be used for follows from the licences of the models and photographs above."
    )
    limits = restricting(data.origins)
    if limits:
        text += f" Their outputs may not train a competing model: {', '.join(limits)}."
    return f"## Licence\n\n{text}"


def _sources(data: DataSet, origins: Mapping[str, int]) -> Iterable[str]:
    if origins.get("photograph"):
        yield f"- {origins['photograph']:,} triplets start from photographs, cropped or padded to their size."
    if origins.get("imported"):
        yield (
            f"- {origins['imported']:,} triplets come from imported pairs of other hands, made by models or"
            " people that this run doesn't know. Their licence is that of their data sets."
        )
    if origins.get("written"):
        painters = sorted({f"`{spec.backend}`" for role, spec in _specs(data) if role == "painter"})
        by = f" by {', '.join(painters)}" if painters else ""
        yield f"- {origins['written']:,} triplets start from pictures painted{by}."
    embedded = list(dict.fromkeys(role for role, spec in _specs(data) if _is_embedded(spec)))
    drawn = [role for role in ("painter", "editor") if role in embedded]
    if drawn:
        yield (
            f"- Embedded studio: {', '.join(drawn)}. A small drawn world that stands in for generative"
            " models: good for trying things out, but its pictures and flaws aren't a real model's."
        )
    learned = [role.replace("_", " ") for role in ("screen", "soft_filter", "validator") if role in embedded]
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
