"""The owner's file of rules: its text becomes `Rule`s, or is refused with line, reason and remedy.

Pure: it takes the text. A mistake stops the start: a rule that is left out silently is an alarm
that never rings.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edge.alerts.rule import Rule
from edge.errors import SettingsError
from edge.printable import escape

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 1 << 20
MAX_RULES: Final = 100
"""Each one looks at every answer, and has a topic of its own."""

_MAX_CAMERA_NAME: Final = 64  # as the camera route takes it
_HEAD: Final = re.compile(r"\s*\[\[\s*rule\s*\]\]")
_TABLE: Final = re.compile(r"\s*\[")

Seconds = Annotated[float, Field(strict=True, ge=0, le=86_400, allow_inf_nan=False)]
CameraName = Annotated[str, Field(min_length=1, max_length=_MAX_CAMERA_NAME)]


def _check_printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("it has a character that does not print")
    return name


def _one_or_several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class _RuleToml(BaseModel):
    """The keys of a ``[[rule]]``; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_check_printable)]
    label: Annotated[str, Field(min_length=1)]
    camera: Annotated[
        list[CameraName], Field(min_length=1, max_length=1000), BeforeValidator(_one_or_several)
    ] = Field(default_factory=list, validate_default=False)
    score: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] = 0.5
    count: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    for_s: Seconds = 0.0
    cooldown_s: Seconds = 60.0
    silent_s: Annotated[float, Field(strict=True, ge=1, le=86_400, allow_inf_nan=False)] = 30.0
    sound: Annotated[bool, Field(strict=True)] = True


KEYS: Final = tuple(_RuleToml.model_fields)
"""Keys of a rule."""


def parse_rules(text: str, file: Path) -> tuple[Rule, ...]:
    """Read the rules of a file.

    Args:
        text: what is in it.
        file: its path, for the words of a refusal.

    Raises:
        SettingsError: it is not TOML, holds no rule or too many, or a rule is wrong; names the
            line where it is known, the rule, the key, what is wrong and what to do.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not TOML, or an absurd number or nesting
        raise _fault(file, None, f"it is not TOML: {error}", "Fix it") from None
    for key in content:
        if key != "rule":
            line = _line_of(text.splitlines(), 0, None, key)
            reason = f"{escape(key)} is not known here"
            raise _fault(file, line, reason, "The file holds tables [[rule]], and nothing else")
    tables = content.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise _fault(file, None, "rule is not a list of tables", "Begin each rule with [[rule]]")
    if not tables:
        raise _fault(file, None, "it holds no rule", "Begin a rule with [[rule]], or unset it")
    if len(tables) > MAX_RULES:
        raise _fault(file, None, f"it has {len(tables)} rules", f"The maximum is {MAX_RULES}")
    lines = RuleLines(text, len(tables))
    rules: dict[str, Rule] = {}
    for number, table in enumerate(tables, 1):
        rule = _read_rule(file, lines, number, table)
        if rule.slug in rules:
            place = lines.of(number, "name")
            reason = f"{_titled(number, table)} has the same name as another, or nearly"
            remedy = "Names must differ in their letters a to z or digits: they become topics"
            raise _fault(file, place, reason, remedy)
        rules[rule.slug] = rule
    return tuple(rules.values())


class RuleLines:
    """Where rules and their keys stand, as far as a look at the text can tell.

    Args:
        text: of the file.
        rules: number of rules in it.
    """

    def __init__(self, text: str, rules: int) -> None:
        self._lines = text.splitlines()
        heads = [at for at, line in enumerate(self._lines) if _HEAD.match(line)]
        # Inline tables, or a text that looks like a head: then no line is better than a wrong one.
        self._heads = heads if len(heads) == rules else []

    def of(self, number: int, key: str) -> int | None:
        """Line, from 1, of a key of rule ``number``; of its head if the key is not there."""
        if not self._heads:
            return None
        first = self._heads[number - 1]
        last = self._heads[number] if number < len(self._heads) else None
        return _line_of(self._lines, first + 1, last, key) or first + 1


def _line_of(lines: list[str], first: int, last: int | None, key: str) -> int | None:
    begins = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    found = (at for at, line in enumerate(lines[first:last], first + 1) if begins.match(line))
    return next(found, None)


def _read_rule(file: Path, lines: RuleLines, number: int, table: dict[str, Any]) -> Rule:
    try:
        values = _RuleToml.model_validate(table)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = str(fault["loc"][0])
        line = lines.of(number, key)
        reason = f"{_titled(number, table)}: {_reason(key, fault)}"
        raise _fault(file, line, reason, _remedy(key)) from None
    slug = _slug(values.name)
    if not slug:
        line = lines.of(number, "name")
        reason = f"{_titled(number, table)}: its name has no letter a to z and no digit"
        raise _fault(file, line, reason, "Give it one that has: it becomes a topic")
    return Rule(
        name=values.name,
        slug=slug,
        label=values.label,
        cameras=frozenset(values.camera),
        score=values.score,
        count=values.count,
        for_s=values.for_s,
        cooldown_s=values.cooldown_s,
        silent_s=values.silent_s,
        sound=values.sound,
    )


def _reason(key: str, fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return f"{escape(key)} is not a key of a rule"
    if fault["type"] == "missing":
        return f"{key} is missing"
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{key}: {reason[:1].lower()}{reason[1:]}"


def _remedy(key: str) -> str:
    if key in KEYS:
        return "Correct it, or leave it out" if key not in {"name", "label"} else "Give it"
    close = difflib.get_close_matches(key, KEYS, n=1)
    return f"Did you mean {close[0]}?" if close else f"Keys: {', '.join(KEYS)}"


def _titled(number: int, table: dict[str, Any]) -> str:
    name = table.get("name")
    return f'rule {number} ("{escape(name[:60])}")' if isinstance(name, str) else f"rule {number}"


def _slug(name: str) -> str:
    """The name in the letters a to z, digits and underscores, for topics."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", ascii_name.lower()).strip("_")


def _fault(file: Path, line: int | None, reason: str, remedy: str) -> SettingsError:
    place = place_in(file, line)
    end = "" if remedy.endswith("?") else "."
    return SettingsError(f"alerts_rules: {place}: {reason.removesuffix('.')}. {remedy}{end}")


def place_in(file: Path, line: int | None) -> str:
    """The file, and the line where it is known, in words."""
    return f"{file}, line {line}" if line is not None else f"{file}"
