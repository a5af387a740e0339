"""Distributions of a data set as one SVG: bars of categories, styles, kinds and sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_LONGEST = 16  # bars of one chart; the others are summed up
_ROW, _HEAD, _GAP = 20, 34, 14
_LABEL, _BAR, _WIDTH = 190, 380, 640
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#3d444d}.h{font-weight:600;font-size:14px;fill:#1f2328}"
    ".l{text-anchor:end}.m{text-anchor:middle}rect,circle{fill:#4a7ebb}"
    "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}.h{fill:#f0f6fc}rect,circle{fill:#6ea8fe}}"
)


def bars(tallies: Mapping[str, Mapping[str, int]]) -> bytes:
    """Charts one below the other; values of each in the order given."""
    parts: list[str] = []
    top = 0
    for name, tally in tallies.items():
        parts.append(f'<text class="h" x="8" y="{top + 22}">{escape(name)}</text>')
        top += _HEAD
        shown = _shortened(tally)
        most = max(shown.values())
        for value, count in shown.items():
            width = max(1.0, round(_BAR * count / most, 1))
            parts.append(
                f'<text class="l" x="{_LABEL}" y="{top + 14}">{escape(value)}</text>'
                f'<rect x="{_LABEL + 8}" y="{top + 3}" width="{width:g}" height="{_ROW - 6}" rx="2"/>'
                f'<text x="{_LABEL + 14 + width:g}" y="{top + 14}">{count:,}</text>'
            )
            top += _ROW
        top += _GAP
    return _svg(parts, top)


def _svg(parts: Sequence[str], height: int) -> bytes:
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>\n".encode()
    )


def intervals(
    charts: Mapping[str, Sequence[tuple[str, float, tuple[float, float] | None]]], low: float, high: float
) -> bytes:
    """Means with their intervals on one scale, a chart one below the other: label, mean, bounds or None."""
    parts: list[str] = []
    top = 0

    def across(value: float) -> float:
        return round(_LABEL + 8 + _BAR * (value - low) / (high - low), 1)

    for name, rows in charts.items():
        parts.append(f'<text class="h" x="8" y="{top + 22}">{escape(name)}</text>')
        top += _HEAD
        for label, mean, bounds in rows or [("nothing scored", float("nan"), None)]:
            middle = top + _ROW // 2
            parts.append(f'<text class="l" x="{_LABEL}" y="{top + 14}">{escape(label)}</text>')
            if bounds is not None:
                start, width = across(bounds[0]), max(1.0, across(bounds[1]) - across(bounds[0]))
                parts.append(f'<rect x="{start:g}" y="{middle - 2}" width="{width:g}" height="4" rx="2"/>')
            if mean == mean:  # noqa: PLR0124  (not NaN)
                parts.append(
                    f'<circle cx="{across(mean):g}" cy="{middle}" r="4.5"/>'
                    f'<text x="{_LABEL + 18 + _BAR}" y="{top + 14}">{mean:.2f}</text>'
                )
            top += _ROW
        ticks = range(round(low), round(high) + 1)
        parts += [f'<text class="m" x="{across(n):g}" y="{top + 14}">{n}</text>' for n in ticks]
        top += _ROW + _GAP
    return _svg(parts, top)


def _shortened(tally: Mapping[str, int]) -> dict[str, int]:
    items = list(tally.items())
    if len(items) <= _LONGEST:
        return dict(items)
    rest = items[_LONGEST - 1 :]
    return dict(items[: _LONGEST - 1]) | {f"{len(rest)} others": sum(count for _, count in rest)}
