"""Image folders in which every image lies once, named by its hash, however many triplets show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.mining.select import Triplet


def image_name(image: str, images: Images) -> str:
    """Where an image lies in such a folder, relative to the export."""
    return f"images/{image[:2]}/{images.path(image).name}"


def copy_shared(triplets: Iterable[Triplet], files: Files, images: Images) -> Mapping[str, str]:
    """Copy both sides of every triplet to `images/ab/abcd….jpg`; the name of each, by image.

    256 folders keep a large data set under the Hub's limit of files a folder.
    """
    wanted = {image for triplet in triplets for image in (triplet.source_image, triplet.edited_image)}
    names = {image: image_name(image, images) for image in sorted(wanted)}
    files.copy_images({image: [name] for image, name in names.items()}, images)
    return names
