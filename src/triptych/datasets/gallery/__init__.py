"""The gallery: one page, in one file, that shows what a run has come to."""

from triptych.datasets.gallery.content import GalleryData, GalleryPair, gallery_data
from triptych.datasets.gallery.page import write_gallery

__all__ = ["GalleryData", "GalleryPair", "gallery_data", "write_gallery"]
