"""Images kept at hand: never more than was allowed, the longest unused go first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triptych.mining.recent import Recent


@given(sizes=st.lists(st.integers(0, 40), max_size=30), most=st.integers(0, 100))
def test_what_is_kept_stays_within_its_bytes(sizes: list[int], most: int) -> None:
    recent = Recent[bytes](most)
    for number, size in enumerate(sizes):
        recent.add(str(number), bytes(size), size)
        recent.add(str(number), bytes(size), size)
        kept = [data for n in range(len(sizes)) if (data := recent.get(str(n))) is not None]
        assert sum(map(len, kept)) <= most


def test_the_longest_unused_go_first() -> None:
    recent = Recent[bytes](2)
    recent.add("a", b"a", 1)
    recent.add("b", b"b", 1)
    assert recent.get("a") == b"a"
    recent.add("c", b"c", 1)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (b"a", None, b"c")
