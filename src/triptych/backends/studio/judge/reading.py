"""What a prompt or an instruction says, as far as its words are known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.judge import words


@dataclass(frozen=True, slots=True)
class Mention:
    """A thing that a text names."""

    kind: str  # key of the catalogue
    colour: str | None = None
    material: str | None = None
    place: str | None = None  # left, middle, right, front, distance
    beside: str | None = None  # kind next to which it stands
    definite: bool = False  # "the cat": one that is there already


@dataclass(frozen=True, slots=True)
class Order:
    """One edit as understood. `operation` is a category of edits; unset fields weren't said."""

    operation: str
    target: Mention | None = None
    thing: Mention | None = None
    value: str | None = None
    times: int = 1  # "bigger" twice over is 2


@dataclass(frozen=True, slots=True)
class PromptReading:
    """A scene as a prompt asks for it; None: not said."""

    things: tuple[Mention, ...] = ()
    setting: str | None = None
    time: str | None = None
    season: str | None = None
    weather: str | None = None
    style: str | None = None
    degradation: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    mention: Mention


def read_instruction(text: str) -> tuple[Order, ...]:
    """The orders in an instruction, first to last; empty: something that it orders wasn't understood."""
    orders: list[Order] = []
    before = ""  # the clause that the last orders were read from
    for clause in _clauses(text.lower().strip()):
        read = _read_clause(clause, orders[-1] if orders else None)
        if read:
            orders += [order for order in read if order not in orders]
            before = clause
        elif before:  # no order of its own, it may say more of the one before: "… and bring out the colors"
            if _find_mentions(clause)[0] or not _read_clause(f"{before} and {clause}", None):
                return ()
            before = f"{before} and {clause}"
        elif words.ORDER.search(clause):
            return ()
    return tuple(orders)


def read_prompt(text: str) -> PromptReading:
    """What a prompt asks for."""
    lowered = text.lower()
    found, rest = _find_mentions(lowered)
    style = "render" if words.RENDER_LIKE.search(rest) else _first(words.STYLES, rest)
    return PromptReading(
        things=tuple(each.mention for each in found),
        setting=_first(words.SETTINGS, rest),
        time=_first(words.TIMES, rest),
        season=_first(words.SEASONS, rest),
        weather=_first(words.WEATHERS[:3], rest),
        style=style,
        degradation=_first(words.DEGRADATIONS[:4], rest) or _first((("blur", r"blurry|out-of-focus"),), rest),
    )


def _first(table: Iterable[tuple[str, str]], text: str) -> str | None:
    for value, pattern in table:
        if re.search(pattern, text):
            return value
    return None


# ---- things ----------------------------------------------------------------------------------------------


def _find_mentions(text: str) -> tuple[list[_Found], str]:
    """Every thing named, in order, and the text with those names (and their adjectives) blanked out."""
    spans: list[tuple[int, int, str]] = []
    masked = text
    for pattern, key in words.KIND_NAMES:
        for match in pattern.finditer(masked):
            if key == "tangerine" and match.group() == "orange" and not _is_fruit(masked, match):
                continue
            spans.append((match.start(), match.end(), key))
            masked = masked[: match.start()] + "#" * len(match.group()) + masked[match.end() :]
    spans.sort()
    found: list[_Found] = []
    for index, (start, end, key) in enumerate(spans):
        colour, material, first = _adjectives(text, start)
        limit = spans[index + 1][0] if index + 1 < len(spans) else len(text)
        after = text[end:limit]
        clause = re.split(r", | and |: |\. ", after, maxsplit=1)[0] if index + 1 < len(spans) else after[:40]
        place = None if "background" in clause else _first(words.PLACES, clause)
        mention = Mention(key, colour, material, place, definite=bool(re.search(r"\bthe $", text[:first])))
        found.append(_Found(first, end, mention))
        masked = masked[:first] + "#" * (end - first) + masked[end:]
    return _with_neighbours(found, text), masked


def _is_fruit(text: str, match: re.Match[str]) -> bool:
    """Whether "orange" is the fruit: after an article or adjective, with no thing right behind."""
    before, after = text[: match.start()], text[match.end() :]
    if re.match(r" (?:#|[a-z]+ #)", after):
        return False
    return bool(re.search(r"\b(?:the|an|a) $", before)) and not re.match(r" colou?r\b", after)


def _adjectives(text: str, start: int) -> tuple[str | None, str | None, int]:
    """Colour and material right before a noun, and where they begin."""
    colour = material = None
    while match := re.search(r"(\w+) $", text[:start]):
        word = match.group(1)
        if word in words.COLOUR_WORDS and colour is None:
            colour = words.COLOUR_WORDS[word]
        elif word in words.MATERIAL_WORDS and material is None:
            material = words.MATERIAL_WORDS[word]
        elif word != "ordinary":
            break
        start = match.start()
    return colour, material, start


def _with_neighbours(found: list[_Found], text: str) -> list[_Found]:
    """ "a cat next to the car": the car says where the cat is."""
    result: list[_Found] = []
    for each in found:
        if result and words.BESIDE.fullmatch(text[result[-1].end : each.start].lstrip()):
            last = result[-1]
            result[-1] = replace(last, mention=replace(last.mention, beside=each.mention.kind))
            continue
        result.append(each)
    return result


# ---- orders ----------------------------------------------------------------------------------------------


def _clauses(text: str) -> list[str]:
    """The text cut wherever another verb begins."""
    cuts = [
        joint
        for joint in words.JOINT.finditer(text)
        if words.ORDER.match(text, joint.end())
        and (joint.group() != ", " or words.ORDER.search(text[: joint.start()]))
    ]
    starts, ends = [0, *(cut.end() for cut in cuts)], [*(cut.start() for cut in cuts), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _read_clause(text: str, last: Order | None) -> tuple[Order, ...]:
    """The orders that one verb gives. `last`: the order before, for what "it" is."""
    ways = list(words.DESTINATION.finditer(text)) if text.startswith("move ") else []
    orders = _read_move(text[: ways[-1].start()], text[ways[-1].start() :]) if ways else ()
    orders = orders or _read_list(text)
    if orders:
        return orders
    order = _read_order(text)
    if order is None and last is not None and words.PRONOUN.search(text):
        order = _read_about_it(text, last)
    return () if order is None else (order,)


def _read_move(text: str, destination: str) -> tuple[Order, ...]:
    """A thing moved: taken out here, put in there."""
    found, _ = _find_mentions(text)
    if not found:
        return ()
    target = found[0].mention
    place = _first(words.PLACES, destination)
    beside = _find_mentions(destination)[0]
    thing = replace(target, place=place, beside=beside[0].mention.kind if beside else None, definite=False)
    return Order("remove", target=target), Order("add", thing=thing)


def _read_about_it(text: str, last: Order) -> Order | None:
    """An order about what the order before left: "it" stands for that."""
    it = last.thing if last.operation in ("add", "replace") else last.target
    if it is None or last.operation == "remove":
        return None
    order = _read_order(words.PRONOUN.sub(f"the {KINDS[it.kind].noun.lower()}", text))
    if order is None or order.target is None:
        return None
    return replace(order, target=replace(it, definite=True))


def _read_list(text: str) -> tuple[Order, ...]:
    """One verb for several things: "make the cat red and the dog blue"."""
    starts = [match.end() for match in words.ITEM.finditer(text)]
    first = words.ARTICLE.search(text)
    if not starts or first is None:
        return ()
    head, starts = text[: first.start()], [first.start(), *starts]
    ends = [*(words.BETWEEN.sub("", text[:start]) for start in starts[1:]), text]
    items = [end[start:] for start, end in zip(starts, ends, strict=True)]
    sizes = words.SIZED.search(items[-1])
    tail = f" {sizes.group()}" if sizes is not None else ""
    orders = [_read_order(head + item + (tail if tail and tail not in f" {item}" else "")) for item in items]
    told = [order for order in orders if order is not None]
    if len(told) < len(items) or any(order.target is None and order.thing is None for order in told):
        return ()
    return tuple(told)


def _read_order(text: str) -> Order | None:
    found, rest = _find_mentions(text)
    mentions = [each.mention for each in found]
    local = _read_local(rest, mentions) if mentions else None
    return local or _read_global(rest)


def _read_local(rest: str, mentions: list[Mention]) -> Order | None:
    first = mentions[0]
    colour = next((words.COLOUR_WORDS[w] for w in re.findall(r"\w+", rest) if w in words.COLOUR_WORDS), None)
    material = next(
        (words.MATERIAL_WORDS[w] for w in re.findall(r"\w+", rest) if w in words.MATERIAL_WORDS), None
    )
    if len(mentions) > 1:
        target = next((m for m in mentions if m.definite), first)
        new = next((m for m in mentions if m is not target), mentions[-1])
        if new.kind == target.kind:
            return Order("material", target=target, thing=new, value="plain")
        if words.REPLACING.search(rest) or not words.ADDING.search(rest):
            return Order("replace", target=target, thing=replace(new, place=None))
        return Order("add", thing=new)
    if words.RESIZING.search(rest) and not words.MADE_OF.search(rest):
        value = "bigger" if words.BIGGER.search(rest) and not words.SMALLER.search(rest) else "smaller"
        return Order("resize", target=first, value=value, times=2 if words.TWICE.search(rest) else 1)
    if material is not None and first.definite:
        return Order("material", target=first, value=material)
    if colour is not None and first.definite:
        return Order("color", target=first, value=colour)
    if words.REMOVING.search(rest):
        return Order("remove", target=first)
    if words.ADDING.search(rest) or not first.definite:
        return Order("add", thing=first)
    return None


def _read_global(text: str) -> Order | None:
    style = _first(words.STYLES, text)
    time, season = _first(words.TIMES, text), _first(words.SEASONS, text)
    weather, grade = _first(words.WEATHERS, text), _first(words.GRADES, text)
    damage, place = _first(words.DEGRADATIONS, text), _first(words.SETTINGS, text)
    if style is not None:
        return Order("style", value=style)
    if grade in ("contrast", "softer"):
        return Order("color_correction", value=grade)
    if damage is not None and not (grade is not None and "exposure" in text):
        return Order("restore" if words.RESTORING.search(text) else "degrade", value=damage)
    if place is not None and (time is None or "background" in text):
        return Order("background", value=place)
    if weather is not None:
        return Order("weather", value=weather)
    if time is not None:
        return Order("time_of_day", value=time)
    if season is not None:
        return Order("season", value=season)
    if grade is not None:
        return Order("color_correction", value=grade)
    return None


def kinds_named(orders: Iterable[Order]) -> tuple[str, ...]:
    """Keys of all kinds that the orders name."""
    named = [m.kind for order in orders for m in (order.target, order.thing) if m is not None]
    return tuple(dict.fromkeys(kind for kind in named if kind in KINDS))
