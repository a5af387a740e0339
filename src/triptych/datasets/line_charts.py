"""Curves as one SVG: points joined by lines, axes with marks, in light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

Point = tuple[float, float]
_WIDTH, _HEIGHT = 480, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 14, 34, 46
_COLOURS = ("#4a7ebb", "#c0504d", "#7f9f3f")
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#3d444d}.h{font-weight:600;font-size:14px;fill:#1f2328}"
    ".e{text-anchor:end}.m{text-anchor:middle}line,path{fill:none}.g{stroke:#d1d9e0}.d{stroke:#8b949e;"
    "stroke-dasharray:4 3}"
    "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}.h{fill:#f0f6fc}.g{stroke:#30363d}}"
)


def lines(
    title: str,
    axes: tuple[str, str],
    series: Mapping[str, Sequence[Point]],
    *,
    across: tuple[float, float] = (0.0, 1.0),
    diagonal: bool = False,
    marks: Sequence[float] = (),
) -> bytes:
    """One chart; the vertical axis is 0..1. `marks`: where a dashed upright stands."""
    low, high = across

    def place(x: float, y: float) -> tuple[float, float]:
        inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + inner_width * (x - low) / (high - low), _TOP + inner_height * (1 - y)

    parts = [f'<text class="h" x="{_LEFT}" y="20">{escape(title)}</text>']
    for step in range(6):
        share = step / 5
        _, y = place(low, share)
        x, _ = place(low + share * (high - low), 0)
        parts.append(f'<line class="g" x1="{_LEFT}" y1="{y:g}" x2="{_WIDTH - _RIGHT}" y2="{y:g}"/>')
        parts.append(f'<text class="e" x="{_LEFT - 6}" y="{y + 4:g}">{share:g}</text>')
        value = round(low + share * (high - low), 2)
        parts.append(f'<text class="m" x="{x:g}" y="{_HEIGHT - _BOTTOM + 16}">{value:g}</text>')
    parts.append(
        f'<text class="m" x="{(_LEFT + _WIDTH - _RIGHT) / 2:g}" y="{_HEIGHT - 8}">{escape(axes[0])}</text>'
        f'<text x="{_LEFT}" y="{_TOP - 2}" opacity="0.75">{escape(axes[1])}</text>'
    )
    if diagonal:
        (x1, y1), (x2, y2) = place(low, 0), place(high, 1)
        parts.append(f'<line class="d" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>')
    for mark in marks:
        x, bottom = place(mark, 0)
        parts.append(f'<line class="d" x1="{x:g}" y1="{bottom:g}" x2="{x:g}" y2="{_TOP}"/>')
    for number, (name, points) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        drawn = [place(*point) for point in points]
        path = " ".join(f"{'L' if at else 'M'}{x:.1f} {y:.1f}" for at, (x, y) in enumerate(drawn))
        parts.append(f'<path d="{path}" stroke="{colour}" stroke-width="2"/>')
        if len(drawn) <= 20:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in drawn]
        if len(series) > 1:
            y = _TOP + 16 + 16 * number
            parts.append(
                f'<rect x="{_LEFT + 10}" y="{y - 9}" width="12" height="4" fill="{colour}"/>'
                f'<text x="{_LEFT + 28}" y="{y - 3}">{escape(name)}</text>'
            )
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>\n".encode()
    )
