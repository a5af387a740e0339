"""The nine settings: each a pure function (scene, frame) -> Backdrop."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType

import numpy as np

from triptych.backends.studio.canvas import Frame, frame
from triptych.backends.studio.scene import Scene, Setting
from triptych.backends.studio.settings.city import CITY, paint_city
from triptych.backends.studio.settings.forest import FOREST, paint_forest
from triptych.backends.studio.settings.outdoors import LAKE, MEADOW, paint_lake, paint_meadow
from triptych.backends.studio.settings.room import ROOM, paint_room
from triptych.backends.studio.settings.sands import BEACH, DESERT, paint_beach, paint_desert
from triptych.backends.studio.settings.stage import Backdrop, Stage
from triptych.backends.studio.settings.table import TABLE, paint_table
from triptych.backends.studio.settings.underwater import UNDERWATER, paint_underwater

PAINTERS: Mapping[Setting, Callable[[Scene, Frame], Backdrop]] = MappingProxyType(
    {
        "meadow": paint_meadow,
        "lake": paint_lake,
        "beach": paint_beach,
        "desert": paint_desert,
        "forest": paint_forest,
        "city": paint_city,
        "room": paint_room,
        "table": paint_table,
        "underwater": paint_underwater,
    }
)
STAGES: Mapping[Setting, Stage] = MappingProxyType(
    {
        "meadow": MEADOW,
        "lake": LAKE,
        "beach": BEACH,
        "desert": DESERT,
        "forest": FOREST,
        "city": CITY,
        "room": ROOM,
        "table": TABLE,
        "underwater": UNDERWATER,
    }
)

CACHE_BYTES = 96 * 2**20
BRIGHTEST = 1.4

_cache: OrderedDict[tuple[Scene, int, int], Backdrop] = OrderedDict()
_cache_lock = Lock()


def stage(setting: Setting, width: int, height: int) -> Stage:  # noqa: ARG001  (all layouts are fractions so far)
    """Where things may stand in a setting at a size, without painting it."""
    return STAGES[setting]


def paint(scene: Scene, width: int, height: int) -> Backdrop:
    """A scene's setting painted anew, past the cache; pixels lie in 0..BRIGHTEST."""
    painted = PAINTERS[scene.setting](scene, frame(width, height))
    np.clip(painted.image, 0, np.float32(BRIGHTEST), out=painted.image)
    return painted


def backdrop(scene: Scene, width: int, height: int) -> Backdrop:
    """A scene's setting without its things, painted or cached (up to CACHE_BYTES); the image is read-only."""
    bare = Scene(
        seed=scene.seed,
        setting=scene.setting,
        time=scene.time,
        season=scene.season,
        weather=scene.weather,
        palette=scene.palette,
    )
    key = (bare, width, height)
    with _cache_lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    painted = paint(bare, width, height)
    painted.image.flags.writeable = False
    with _cache_lock:
        _cache[key] = painted
        while len(_cache) > 1 and sum(kept.image.nbytes for kept in _cache.values()) > CACHE_BYTES:
            _cache.popitem(last=False)
    return painted
