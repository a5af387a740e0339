"""Distributions of a data set as one SVG: bars of categories, styles, kinds and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_LONGEST = 16  # bars of one chart; the others are summed up
_ROW, _HEAD, _GAP = 20, 34, 14
_LABEL, _BAR, _WIDTH = 190, 380, 640
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#3d444d}.h{font-weight:600;font-size:14px;fill:#1f2328}"
    ".l{text-anchor:end}rect{fill:#4a7ebb}"
    "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}.h{fill:#f0f6fc}rect{fill:#6ea8fe}}"
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
    size = f'viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>\n".encode()
    )


def _shortened(tally: Mapping[str, int]) -> dict[str, int]:
    items = list(tally.items())
    if len(items) <= _LONGEST:
        return dict(items)
    rest = items[_LONGEST - 1 :]
    return dict(items[: _LONGEST - 1]) | {f"{len(rest)} others": sum(count for _, count in rest)}
