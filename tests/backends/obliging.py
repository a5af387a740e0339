"""Answers to our own prompts as an obliging model gives them, made from what the prompt says."""

from __future__ import annotations

import json
import re
from typing import Any

from triptych.backends.prompts.chat import Prompt
from triptych.records import identify


def chance(*parts: str | int) -> float:
    """A number in 0..1 that hangs on the parts alone."""
    return int(identify("chance", *parts)[:8], 16) / 2**32


def said(prompt: Prompt) -> str:
    """What an obliging model says to a prompt."""
    words = "\n".join(part for part in prompt.parts if isinstance(part, str))
    return json.dumps(answer(words, prompt.reply.model_json_schema(), prompt.seed))


def answer(words: str, schema: dict[str, Any], seed: int) -> dict[str, Any]:
    """A JSON object of the schema that answers the user's words."""
    keys = set(schema["properties"])
    if "scenes" in keys:
        return {"scenes": [_scene(brief, seed) for brief in briefs(words)]}
    if "seen" in keys:
        wanted = json.loads(words[words.index('{"language"') :].splitlines()[0])
        edits = [
            {"category": e["category"], "instruction": f"do the {e['category']} here"}
            for e in wanted["edits"]
        ]
        return {"seen": "a photograph", "edits": edits}
    return {key: _value(key, schema["properties"][key], words, seed) for key in schema["properties"]}


def briefs(words: str) -> list[dict[str, Any]]:
    """The briefs in a prompt for scenes."""
    return [json.loads(line) for line in words.splitlines() if line.startswith('{"number"')]


def _scene(brief: dict[str, Any], seed: int) -> dict[str, Any]:
    name = f"{brief['topic']}, {brief['viewpoint']}, {identify('scene', json.dumps(brief), seed)[:6]}"
    edits = [
        {"category": edit["category"], "instruction": f"{edit['category']} the thing by the door, {place}"}
        for place, edit in enumerate(brief["edits"])
    ]
    return {"number": brief["number"], "prompt": f"A picture of {name}.", "edits": edits}


def _value(key: str, kind: dict[str, Any], words: str, seed: int) -> Any:
    if "enum" in kind:
        choices = kind["enum"]
        return choices[int(chance(words, key, seed) * len(choices))]
    if key == "instruction":
        found = re.findall(r'"(?:instruction|first|second)": "(.*)"', words)
        return f"have {' and '.join(found)} done the other way"
    return f"{key} of {words[:40]}"
