"""Splits that nothing leaks across: no scene, no image and no near-duplicate is in two of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from triptych.datasets.files import loaded_ahead
from triptych.datasets.images import Images
from triptych.datasets.perceptual import Hashes, neighbours, perceptual_hash
from triptych.errors import UserError, WorkFailed
from triptych.mining.select import Triplet
from triptych.records import identify

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def parse_splits(text: str) -> dict[str, float]:
    """Shares of splits from e.g. `train=0.9,validation=0.05,test=0.05`; shares are scaled to sum to 1."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        try:
            share = float(value)
        except ValueError:
            share = -1
        if not sign or not 0 < share < float("inf") or not _NAME.fullmatch(name) or name in shares:
            raise UserError(f"--split {text}: write it like train=0.9,test=0.1")
        shares[name] = share
    whole = sum(shares.values())
    return {name: share / whole for name, share in shares.items()}


def hashes_of(names: Sequence[str], images: Images) -> Hashes:
    """Perceptual hashes of images by their names."""
    found = list(loaded_ahead(names, lambda name: perceptual_hash(images.get(name))))
    return np.stack(found) if found else np.empty((0, 4), np.uint64)


def split_by_cluster(
    triplets: Sequence[Triplet], shares: Mapping[str, float], seed: int, images: Images
) -> tuple[dict[str, str], int]:
    """The split of every triplet by its id, and how many clusters there are.

    A cluster is everything connected through a scene, an image or a near-duplicate. Clusters are dealt in an
    order that the seed decides, each to the split that lacks most. UserError where a split would be empty,
    WorkFailed where a leak is found when the result is checked.
    """
    names = sorted({name for triplet in triplets for name in _images_of(triplet)})
    near = [(names[one], names[other]) for one, other in neighbours(hashes_of(names, images))]
    clusters = _clusters(triplets, near)
    splits = _deal(clusters, shares, seed, len(triplets))
    for name in shares:
        if name not in splits.values():
            raise UserError(
                f"split {name!r} would be empty: there are only {len(clusters)} independent clusters of"
                " scenes; give it a larger share, or mine more scenes"
            )
    _refuse_leaks(triplets, splits, near)
    return splits, len(clusters)


def _images_of(triplet: Triplet) -> tuple[str, str]:
    return triplet.source_image, triplet.edited_image


def _clusters(triplets: Iterable[Triplet], near: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Ids of connected triplets, by union-find over scenes and images."""
    parents: dict[str, str] = {}

    def root(node: str) -> str:
        parents.setdefault(node, node)
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    edges = [(triplet.scene.id, image) for triplet in triplets for image in _images_of(triplet)]
    for one, other in (*edges, *near):
        first, second = sorted((root(one), root(other)))
        parents[second] = first
    members: dict[str, list[str]] = defaultdict(list)
    for triplet in triplets:
        members[root(triplet.scene.id)].append(triplet.id)
    return [sorted(ids) for ids in members.values()]


def _deal(
    clusters: Iterable[list[str]], shares: Mapping[str, float], seed: int, count: int
) -> dict[str, str]:
    lacking = {name: share * count for name, share in shares.items()}
    splits: dict[str, str] = {}
    for ids in sorted(clusters, key=lambda ids: identify("split", seed, ids[0])):
        name = max(lacking, key=lambda name: lacking[name])
        lacking[name] -= len(ids)
        splits.update(dict.fromkeys(ids, name))
    return splits


def _refuse_leaks(
    triplets: Iterable[Triplet], splits: Mapping[str, str], near: Iterable[tuple[str, str]]
) -> None:
    """Checked on the result itself, whatever the clusters said."""
    where: dict[str, str] = {}
    for triplet in triplets:
        split = splits[triplet.id]
        for node in (triplet.scene.id, *_images_of(triplet)):
            if where.setdefault(node, split) != split:
                raise WorkFailed(f"{node} would be in two splits, {where[node]} and {split}: report this")
    for one, other in near:
        if where[one] != where[other]:
            raise WorkFailed(f"near-duplicates {one} and {other} would be in two splits: report this")
