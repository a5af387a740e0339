"""Open water: reflections, ripples and the sun's glitter."""

from __future__ import annotations

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    clip,
    fbm,
    generator,
    glow,
    gradient,
    lerp,
    recede,
    rows_image,
    smoothstep,
    triple,
)
from triptych.backends.studio.light import greyed, scene_light, sky_colours, sun_place
from triptych.backends.studio.scene import Scene


def paint_water(
    image: Array,
    scene: Scene,
    target: Frame,
    horizon: float,
    bottom: float,
    *,
    deep: tuple[str, str],
    mirror: float,
    waves: float,
) -> None:
    """Paint water from the horizon down to `bottom`, in place.

    `deep` = own colours, far and near; `mirror` 0..1 = how much of the picture above it shows (above 0.7
    a true mirror image, else the plain sky); `waves` 0..1 = how rough it is.
    """
    rng = generator(scene.seed, "water")
    light = scene_light(scene)
    rows = slice(target.row(horizon), target.row(bottom))
    height = rows.stop - rows.start
    t = clip((target.v[rows] - np.float32(horizon)) * np.float32(1 / (bottom - horizon)))
    tile = fbm(rng, (8, 32), 5, 0.62)
    swell = recede(tile, target, horizon - 0.012, 1.6, rows=rows, squash=2.2)
    chop = recede(tile, target, horizon - 0.012, 0.7, rows=rows, squash=1.5, turn=0.41)
    ripple = (swell - np.float32(0.5)) * np.float32(1.3) + (chop - np.float32(0.5)) * np.float32(1.1)
    ripple *= np.float32(0.35 + waves)
    own = gradient(((0, deep[0]), (1, deep[1])), t[:, 0]) * light.tint
    if light.overcast:
        own = np.stack([greyed(colour, 0.45 * light.overcast) for colour in own])
    elif scene.time in ("dawn", "sunset"):  # a low sun lights the water along, and its own colour goes
        own = lerp(own, greyed(own.mean(0), 0.6), 0.5)
    column = sky_colours(light, 1 - t[:, 0] * np.float32(0.9))
    colour = rows_image(own, target.width)
    fresnel = np.float32(mirror) * (1 - np.float32(0.55) * t)
    if mirror > 0.7:
        reach = np.float32(target.side * (0.02 + 0.03 * waves))
        map_y = np.float32(2 * rows.start) - target.y[rows] - 1 + ripple * reach * (np.float32(0.25) + t * 2)
        map_x = target.x - np.float32(0.5) + ripple * reach * np.float32(0.5) * (np.float32(0.3) + t)
        # A mirror shows no more than what stands above the shore line: clamp, don't wrap.
        seen = cv2.remap(
            image,
            map_x,
            clip(map_y, 0, max(0, rows.start - 1)),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        seen = np.asarray(seen, np.float32) * np.float32(0.90)
    else:
        seen = rows_image(column, target.width)
    colour += (seen - colour) * triple(np.ascontiguousarray(np.broadcast_to(fresnel, (height, target.width))))
    colour *= triple(1 + ripple * np.float32(0.46))
    if light.direct:
        sun_x = sun_place(scene, horizon)[0] * target.width
        spread_px = (np.float32(0.035) + np.float32(0.13) * t) * np.float32(target.side)
        column_of_light = np.exp(-(((target.x - np.float32(sun_x)) / spread_px) ** 2))
        sparkle = smoothstep(0.53, 0.70, swell * np.float32(0.5) + chop * np.float32(0.5))
        glow(
            colour,
            light.sun,
            column_of_light * sparkle * np.float32((0.5 if scene.time == "dusk" else 1.2) * light.direct),
        )
    image[rows] = colour
