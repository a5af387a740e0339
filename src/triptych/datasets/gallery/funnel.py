"""The funnel as a picture: one bar a stage, what was lost at it as a shadow, the rate beside the count."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

# stage → (what the page calls it, the stage its rate is taken of, how the rate reads)
WORDING: dict[str, tuple[str, str | None, str]] = {
    "scenes": ("Scenes", None, ""),
    "sources": ("Source pictures", "scenes", "per scene"),
    "screened": ("passed the screen", "sources", "kept"),
    "attempts": ("Attempts", "screened", "per source"),
    "soft_filter": ("passed the soft filter", "attempts", "kept"),
    "low_level": ("passed the pixel checks", "soft_filter", "kept"),
    "validator": ("passed the validator", "low_level", "kept"),
    "selected": ("Selected triplets", "validator", "are the best of their edit"),
}
_ROW = 41  # pixels from one stage to the next
_BAR = 9


def funnel_svg(funnel: Mapping[str, int]) -> str:
    """An SVG as wide as its place; bars in percent, so that text keeps its size on a phone."""
    largest = max([*funnel.values(), 1])
    rows = [_row(number, stage, funnel, largest) for number, stage in enumerate(funnel)]
    said = ", ".join(f"{_wording(stage)[0]}: {count:,}" for stage, count in funnel.items())
    height = _ROW * len(rows) - 8
    return (
        f'<svg class="funnel" width="100%" height="{height}" role="img" aria-label="{escape(said)}">'
        + "".join(rows)
        + "</svg>"
    )


def rate(funnel: Mapping[str, int], stage: str) -> str:
    """How a stage stands to the one before: "43.2 % kept", "5.96 per source"; "" where it can't be said."""
    _, before, words = _wording(stage)
    if before is None or not funnel.get(before):
        return ""
    ratio = funnel[stage] / funnel[before]
    return f"{ratio:.3g} {words}" if words.startswith("per ") else f"{ratio:.1%} {words}".replace("%", " %")


def stage_in_words(stage: str) -> str:
    """A stage as the page calls it."""
    return _wording(stage)[0]


def _row(number: int, stage: str, funnel: Mapping[str, int], largest: int) -> str:
    name, before, words = _wording(stage)
    top, count = number * _ROW, funnel[stage]
    bar = f'y="{top + 22}" height="{_BAR}" rx="1"'
    is_filter = before is not None and not words.startswith("per ")
    lost = (
        f'<rect class="lost" width="{_percent(funnel.get(before or "", 0), largest)}" {bar}/>'
        if is_filter
        else ""
    )
    kind = "last" if stage == "selected" else "kept"
    weight = "step" if is_filter and kind == "kept" else "head"
    return (
        f'<g data-stage="{escape(stage)}">'
        f'<text x="0" y="{top + 14}" class="{weight}">{escape(name)}'
        f'<tspan class="rate" dx="10">{escape(rate(funnel, stage))}</tspan></text>'
        f'<text x="100%" y="{top + 14}" class="count" text-anchor="end">{count:,}</text>'
        f'{lost}<rect class="{kind}" width="{_percent(count, largest)}" {bar}/></g>'
    )


def _wording(stage: str) -> tuple[str, str | None, str]:
    return WORDING.get(stage, (stage.replace("_", " "), None, ""))


def _percent(count: int, largest: int) -> str:
    return f"{max(100 * count / largest, 0.3 if count else 0):.2f}%"
