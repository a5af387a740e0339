"""One light table for each time of day. Everything drawn reads it, so "make it night" relights all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from triptych.backends.studio.canvas import Array, Stops, generator, gradient, lerp, luminance, rgb
from triptych.backends.studio.scene import Scene, TimeOfDay, Weather


@dataclass(frozen=True, eq=False)
class Light:
    """The light of a time of day, as weather leaves it. Colours are (3,) float32."""

    sky: Stops  # 0 = zenith, 1 = horizon
    sun: Array  # colour of the sun or the moon
    sun_x: float  # 0..1 across, before the palette may mirror it
    sun_y: float  # fraction of the way from the top edge down to the horizon
    tint: Array  # multiplies what stands outdoors
    indoor: Array  # multiplies what stands in a room
    haze: Array  # what distance fades into
    haze_amount: float  # 0..1: how much of it there is; 0.25 on a clear day
    shadow: Array
    shadow_strength: float  # 0..1
    ambient: float  # 0..1: light that reaches shadows
    cloud: tuple[Array, Array]  # shaded side, lit side
    stars: float  # 0..1
    lamps: float  # 0..1: share of windows and lamps lit
    overcast: float  # 0 = clear sky, 1 = the sun is hidden
    grey: float  # brightness of an overcast sky

    @property
    def direct(self) -> float:
        """How much sunlight gets through, 0..1."""
        return 1.0 - self.overcast

    def sky_colour(self, t: float) -> Array:
        """The sky's colour, 0 = zenith, 1 = horizon, greyed by the weather."""
        colour: Array = sky_colours(self, np.array([t], np.float32))[0]
        return colour


def _light(
    *,
    sky: Stops,
    sun: str,
    place: tuple[float, float],
    tint: tuple[float, float, float],
    indoor: tuple[float, float, float],
    haze: str,
    shadow: tuple[str, float],
    ambient: float,
    cloud: tuple[str, str],
    stars: float,
    lamps: float,
    grey: float,
) -> Light:
    return Light(
        sky=sky,
        sun=rgb(sun),
        sun_x=place[0],
        sun_y=place[1],
        tint=np.array(tint, np.float32),
        indoor=np.array(indoor, np.float32),
        haze=rgb(haze),
        haze_amount=0.25,
        shadow=rgb(shadow[0]),
        shadow_strength=shadow[1],
        ambient=ambient,
        cloud=(rgb(cloud[0]), rgb(cloud[1])),
        stars=stars,
        lamps=lamps,
        overcast=0.0,
        grey=grey,
    )


LIGHTS: MappingProxyType[TimeOfDay, Light] = MappingProxyType(
    {
        "dawn": _light(
            sky=((0, "#6a8ccb"), (0.4, "#b3b4da"), (0.7, "#f3c6bd"), (0.9, "#ffdcb4"), (1, "#ffe7c4")),
            sun="#ffe2b0",
            place=(0.24, 0.80),
            tint=(1.02, 0.92, 0.87),
            indoor=(1.0, 0.94, 0.90),
            haze="#f3cdbd",
            shadow=("#3b3563", 0.38),
            ambient=0.8,
            cloud=("#a093bf", "#ffe6d6"),
            stars=0.0,
            lamps=0.2,
            grey=0.82,
        ),
        "day": _light(
            sky=((0, "#2a78d2"), (0.45, "#6db0ec"), (0.82, "#b9def8"), (1, "#e2f2fb")),
            sun="#fff8e6",
            place=(0.77, 0.24),
            tint=(1.04, 1.01, 0.95),
            indoor=(1.03, 1.0, 0.97),
            haze="#c4dff2",
            shadow=("#1d2747", 0.45),
            ambient=1.0,
            cloud=("#b9c9de", "#ffffff"),
            stars=0.0,
            lamps=0.03,
            grey=1.0,
        ),
        "sunset": _light(
            sky=((0, "#38407f"), (0.3, "#7d4e93"), (0.58, "#e06a6a"), (0.8, "#ffa253"), (1, "#ffdb8e")),
            sun="#ffd680",
            place=(0.66, 0.80),
            tint=(1.08, 0.80, 0.66),
            indoor=(1.03, 0.86, 0.72),
            haze="#f29a70",
            shadow=("#2b1440", 0.45),
            ambient=0.75,
            cloud=("#7d4478", "#ffb780"),
            stars=0.0,
            lamps=0.3,
            grey=0.70,
        ),
        "dusk": _light(
            sky=((0, "#151d4c"), (0.45, "#39408a"), (0.75, "#8264a8"), (0.93, "#d78fab"), (1, "#f0aaa6")),
            sun="#ffb9a6",
            place=(0.30, 1.02),
            tint=(0.62, 0.58, 0.84),
            indoor=(0.72, 0.63, 0.63),
            haze="#7563a0",
            shadow=("#0b0d2a", 0.30),
            ambient=0.6,
            cloud=("#2e2d60", "#b07fae"),
            stars=0.35,
            lamps=0.6,
            grey=0.50,
        ),
        "night": _light(
            sky=((0, "#070d28"), (0.45, "#10204c"), (0.82, "#23407a"), (1, "#3b5f96")),
            sun="#e8efff",
            place=(0.75, 0.22),
            tint=(0.45, 0.55, 0.82),
            indoor=(0.66, 0.56, 0.50),
            haze="#2b4580",
            shadow=("#02040f", 0.35),
            ambient=0.45,
            cloud=("#101a3c", "#3d5480"),
            stars=1.0,
            lamps=0.62,
            grey=0.33,
        ),
    }
)

# How each weather greys the light: share of the sky hidden, haze, and how much of the shadows is left.
_OVERCAST: MappingProxyType[Weather, tuple[float, float, float]] = MappingProxyType(
    {
        "clear": (0.0, 0.25, 1.0),
        "rain": (0.85, 0.45, 0.45),
        "snow": (0.8, 0.45, 0.5),
        "fog": (0.9, 0.85, 0.35),
    }
)
_GREY_SKY: Stops = ((0, "#8495a8"), (0.6, "#b3bfca"), (1, "#d3dae0"))


def greyed(colour: Array, amount: float) -> Array:
    """Pull a colour (3,) towards a faintly blue grey of its own brightness."""
    grey = np.array([0.96, 1.0, 1.05], np.float32) * luminance(colour)
    return lerp(colour, grey, amount)


@lru_cache(maxsize=64)
def light_of(time: TimeOfDay, weather: Weather = "clear") -> Light:
    """The light of a time of day under a weather; cached."""
    light = LIGHTS[time]
    hidden, haze_amount, shadows = _OVERCAST[weather]
    if hidden == 0:
        return light
    return replace(
        light,
        tint=greyed(light.tint, 0.55 * hidden * light.ambient)
        * np.float32(1 + hidden * (0.20 - 0.32 * light.ambient)),
        indoor=greyed(light.indoor, 0.25 * hidden) * np.float32(1 - 0.06 * hidden),
        haze=lerp(greyed(light.haze, 0.8), rgb("#c3ccd4") * np.float32(light.grey), 0.6),
        haze_amount=haze_amount,
        shadow_strength=light.shadow_strength * shadows,
        cloud=(
            greyed(light.cloud[0], 0.75) * np.float32(0.9),
            greyed(light.cloud[1], 0.75) * np.float32(0.92),
        ),
        stars=0.0,
        lamps=min(1.0, light.lamps + 0.12),
        overcast=hidden,
    )


def scene_light(scene: Scene) -> Light:
    """The light a scene stands in."""
    return light_of(scene.time, scene.weather)


def sky_colours(light: Light, t: Array) -> Array:
    """Sky colours at heights `t` (0 = zenith, 1 = horizon), (..., 3), greyed by the weather."""
    clear = gradient(light.sky, t)
    if light.overcast == 0:
        return clear
    grey = gradient(_GREY_SKY, t) * np.float32(light.grey)
    own = luminance(clear.reshape(-1, 1, 3)).reshape(*t.shape, 1) * np.array([0.94, 1.0, 1.08], np.float32)
    return lerp(clear, lerp(own, grey, 0.75), light.overcast * (0.6 + 0.4 * light.ambient))


def sun_place(scene: Scene, horizon: float) -> tuple[float, float]:
    """Where the sun or the moon stands, as fractions of the frame; odd palettes mirror it."""
    light = scene_light(scene)
    drift = generator(scene.seed, "sun").random() * 0.16 - 0.08
    x = light.sun_x + drift
    return (1 - x if scene.palette & 1 else x), light.sun_y * horizon


def haze_at(light: Light, distance: float) -> float:
    """Share of haze, 0..0.97, over what stands `distance` away (0 = at the viewer, 1 = at the horizon)."""
    share = 1 - (1 - distance) ** (0.5 + 2.2 * light.haze_amount)
    thick = 0.62 + 0.42 * light.haze_amount
    return float(min(0.97, share * thick))
