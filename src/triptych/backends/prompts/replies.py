"""From a model's words to what was asked for. Some servers ignore the schema: nothing is taken on trust."""

from __future__ import annotations

import re
from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from triptych.errors import Refused

M = TypeVar("M", bound=BaseModel)

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^```[a-z]*\s*|\s*```$", re.IGNORECASE)
_DECLINES = re.compile(
    r"\b(i'?m sorry|i am sorry|i apologi[sz]e|i can(?:no|')t (?:help|assist|do|comply|provide|create|process)"
    r"|i(?:'m| am) (?:not able|unable) to|as an ai\b|against (?:my|our|the) (?:guidelines|polic))",
    re.IGNORECASE,
)
_SHOWN = 200  # characters of a reply in a message


class Strict(BaseModel):
    """Base of every reply: no key but the ones asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)


class BadReply(Exception):
    """A reply that can't be used. `reason` is short and stable."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def read_reply(text: str, kind: type[M]) -> M:
    """The reply as `kind`. Raises BadReply, or Refused where the model declined in words."""
    try:
        return kind.model_validate_json(json_in(text))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the reply"
        raise BadReply("wrong_schema", f"{where}: {problem['msg']}") from None


def json_in(text: str) -> bytes:
    """The JSON object in a reply, without thoughts, fences and talk around it. Raises as `read_reply`."""
    bare = _FENCE.sub("", _THOUGHT.sub("", text).strip()).strip()
    if not bare:
        raise BadReply("empty_reply")
    start, end = bare.find("{"), bare.rfind("}")
    found = bare[start : end + 1].encode("utf-8", "replace")
    if start < 0 or end < start:
        if _DECLINES.search(bare):
            raise Refused("declined", bare[:_SHOWN])
        raise BadReply("not_json", "there is no JSON object in it")
    try:
        orjson.loads(found)
    except orjson.JSONDecodeError as error:
        raise BadReply("not_json", str(error)) from None
    return found
