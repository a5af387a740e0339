"""Facts to test a ledger with: arbitrary ones, and a whole scene whose ids are right."""

from __future__ import annotations

from hypothesis import strategies as st

from triptych.records import (
    ROLE_NAMES,
    Attempt,
    Brief,
    Call,
    Comparison,
    Derivation,
    Doubt,
    Edit,
    Fact,
    Finding,
    Pair,
    Paraphrase,
    Phrase,
    Rating,
    Scene,
    Signal,
    Source,
    Spec,
    Verdict,
    attempt_id,
    brief_id,
    edit_id,
    hash_bytes,
    identify,
    pair_id,
    scene_id,
    source_id,
)

SPEC = Spec("editor", "tests:Editor", "1", {"steps": 4})
JUDGE = Spec("validator", "tests:Judge", "1", {})

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ids = st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}")
seeds = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**31 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
roles = st.sampled_from(ROLE_NAMES)
settings_values = st.recursive(
    st.none() | st.booleans() | seeds | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
settings = st.dictionaries(texts, settings_values, max_size=3)

any_fact: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Spec, roles, texts, texts, settings),
    st.builds(Brief, ids, counts, settings, ids, st.lists(ids, max_size=3)),
    st.builds(Scene, ids, st.sampled_from(["written", "photograph"]), st.none() | texts, st.none() | texts),
    st.builds(Edit, ids, ids, counts, texts, texts),
    st.builds(
        Phrase, ids, ids, st.sampled_from(["inverse", "joined", "stacked"]), ids, st.none() | ids, ids, texts
    ),
    st.builds(Paraphrase, ids, ids, texts, counts, ids, texts),
    st.builds(Source, ids, counts, ids, ids, seeds, counts, counts, ids, ids),
    st.builds(Attempt, ids, counts, ids, ids, ids, seeds, ids, ids, ids),
    st.builds(Pair, ids, ids, texts, ids),
    st.builds(Derivation, ids, counts, ids, st.sampled_from(["inverse", "composite", "chain", "stack"])),
    st.builds(Signal, ids, texts, ids, numbers),
    st.builds(Verdict, ids, texts, ids, counts, st.none() | numbers, st.none() | texts, st.none() | texts),
    st.builds(Doubt, ids, ids, counts, texts, numbers),
    st.builds(
        Rating,
        ids,
        texts,
        st.sampled_from(["adherence", "aesthetics", "accept"]),
        counts,
        st.none() | numbers,
        st.none() | texts,
        st.none() | numbers,
    ),
    st.builds(
        Comparison, ids, ids, texts, counts, st.none() | numbers, st.none() | texts, st.none() | numbers
    ),
    st.builds(
        Finding,
        ids,
        texts,
        counts,
        st.none() | st.sampled_from(["none", "light"]),
        counts,
        st.none() | texts,
        st.none() | numbers,
    ),
    st.builds(
        Call,
        roles,
        ids,
        ids,
        counts,
        st.sampled_from(["made", "rejected", "model_error", "infrastructure_error"]),
        st.none() | texts,
        numbers,
        st.none() | numbers,
        numbers,
        st.none() | ids,
    ),
)


def picture(name: str) -> bytes:
    """Bytes that pass for a JPEG where nobody decodes them."""
    return b"\xff\xd8\xff" + name.encode()


def call(job: str, number: int = 1, outcome: str = "made", scene: str | None = None, **other: object) -> Call:
    """A call to the editor, half a second long."""
    facts: dict[str, object] = {"reason": None, "seconds": 0.5, "price": None, "finished_at": float(number)}
    return Call(
        role="editor",
        spec_id=SPEC.id,
        job_id=job,
        number=number,
        outcome=outcome,
        scene_id=scene,
        **(facts | other),  # type: ignore[arg-type]
    )


def whole_scene(text: str, edits: int = 2, sources: int = 2, attempts: int = 3) -> list[Fact]:
    """A scene with everything made and judged; its images are `picture(f"{text} …")`."""
    scene = Scene(scene_id("written", text), "written", text, None)
    asked = {"topic": text}
    brief = Brief(brief_id(1, 0, asked), 0, asked, scene.id, [])
    facts: list[Fact] = [SPEC, JUDGE, brief, scene]
    written = [
        Edit(edit_id(scene.id, f"edit {n}"), scene.id, n, f"edit {n}", "add_object") for n in range(edits)
    ]
    facts += written
    for seed in range(sources):
        image = hash_bytes(picture(f"{text} source {seed}"))
        source = Source(
            source_id(scene.id, SPEC.id, seed, 640, 480), 0, scene.id, SPEC.id, seed, 640, 480, image, image
        )
        facts += [source, Verdict(image, "looks_right", JUDGE.id, 0, 1.0, None, None)]
        for edit in written:
            for attempt in range(attempts):
                facts += _attempt(text, scene, source, edit, attempt)
    return facts


def pictures_of(text: str, edits: int = 2, sources: int = 2, attempts: int = 3) -> list[bytes]:
    """The images that `whole_scene` of the same arguments names."""
    kept = [picture(f"{text} source {seed}") for seed in range(sources)]
    for seed in range(sources):
        for edit in range(edits):
            kept += [picture(f"{text} attempt {seed} {edit} {n}") for n in range(attempts)]
    return kept


def _attempt(text: str, scene: Scene, source: Source, edit: Edit, seed: int) -> list[Fact]:
    image = hash_bytes(picture(f"{text} attempt {source.seed} {edit.ordinal} {seed}"))
    pair = Pair(pair_id(source.image, edit.instruction, image), source.image, edit.instruction, image)
    id_ = attempt_id(source.id, edit.id, SPEC.id, seed)
    return [
        Attempt(id_, 0, source.id, edit.id, SPEC.id, seed, image, image, pair.id),
        pair,
        Signal(pair.id, "largest_share", SPEC.id, 0.25),
        Signal(pair.id, "shift", SPEC.id, 0.0),
        Verdict(pair.id, "adherence", JUDGE.id, 0, 4.5, None, "well done"),
        Verdict(pair.id, "adherence", JUDGE.id, 1, 4.0, None, None),
        call(id_, scene=scene.id),
        call(identify("judge", pair.id, JUDGE.id), scene=scene.id, price=0.01),
    ]
