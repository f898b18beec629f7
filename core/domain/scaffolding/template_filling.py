"""Filling a template within limits, so that none takes long or grows large."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never, cast

from jinja2.filters import do_capitalize, do_lower, do_title, do_trim, do_upper

from core.domain.scaffolding.template_language import (
    Choice,
    Comparison,
    Expression,
    Filtered,
    Insertion,
    Joined,
    Junction,
    Literal,
    Loop,
    LoopFact,
    LoopState,
    Negation,
    Operator,
    Parts,
    Text,
    TextFilter,
    Variable,
)
from core.errors import TemplateInvalid

MAX_STEPS = 100_000
"""Parts written, entries looped over and values compared for one prompt: a fraction of a second."""
MAX_PROMPT_CHARACTERS = 250_000
"""Of both texts of a prompt together; as UTF-8 they stay within a megabyte."""
CHARACTERS_PER_STEP = 10
"""Comparing or changing so many characters counts as one step."""

Value = str | int | float | tuple[str, ...]
_FILTERS = {
    TextFilter.LOWER: do_lower,
    TextFilter.UPPER: do_upper,
    TextFilter.CAPITALIZE: do_capitalize,
    TextFilter.TITLE: do_title,
    TextFilter.TRIM: do_trim,
}


@dataclass(kw_only=True)
class FillingLimits:
    """What one prompt may still do and write."""

    steps: int = MAX_STEPS
    characters: int = MAX_PROMPT_CHARACTERS

    def spend(self, steps: int = 1) -> None:
        """Count work before it is done."""
        self.steps -= steps
        if self.steps < 0:
            raise TemplateInvalid("Its loops run too often. Let them do less.")

    def take(self, characters: int) -> None:
        """Count text before it is kept."""
        self.check_room(characters)
        self.characters -= characters

    def check_room(self, characters: int) -> None:
        """Refuse text that could not be kept before it is made."""
        if characters > self.characters:
            raise TemplateInvalid(
                f"The prompt would be longer than {MAX_PROMPT_CHARACTERS:,} characters. "
                f"Shorten the template, or the texts that it inserts."
            )


def fill_parts(parts: Parts, values: Mapping[str, Value], limits: FillingLimits) -> str:
    """Return the text of a template with its values; raise TemplateInvalid beyond the limits."""
    filling = _Filling(limits=limits)
    filling.write_parts(parts, dict(values), None)
    return "".join(filling.written)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a loop is."""

    index: int
    length: int


@dataclass(kw_only=True)
class _Filling:
    limits: FillingLimits
    written: list[str] = field(default_factory=list)

    def write_parts(self, parts: Parts, values: Mapping[str, Value], place: _Place | None) -> None:
        for part in parts:
            self.limits.spend()
            match part:
                case Text(text=text):
                    self._write(text)
                case Insertion(value=expression):
                    self._write(self._to_text(self._evaluate(expression, values, place)))
                case Loop():
                    self._write_loop(part, values, place)
                case Choice(branches=branches, otherwise=otherwise):
                    taken = (body for test, body in branches if self._evaluate(test, values, place))
                    self.write_parts(next(taken, otherwise), values, place)
                case _:
                    assert_never(part)

    def _write_loop(self, loop: Loop, values: Mapping[str, Value], place: _Place | None) -> None:
        entries = _as_entries(values[loop.name])
        if not entries:
            self.write_parts(loop.otherwise, values, place)
        for index, entry in enumerate(entries, start=1):
            self.limits.spend()
            self.write_parts(loop.body, {**values, loop.entry: entry}, _Place(index, len(entries)))

    def _write(self, text: str) -> None:
        self.limits.take(len(text))
        self.written.append(text)

    def _to_text(self, value: Value) -> str:
        """Write a list as lines that begin with a dash."""
        return self._join(value, "\n", lead="- ") if isinstance(value, tuple) else str(value)

    def _join(self, entries: tuple[str, ...], separator: str, lead: str = "") -> str:
        self.limits.spend(len(entries))
        self.limits.check_room(sum(map(len, entries)) + len(entries) * (len(separator) + len(lead)))
        return separator.join(f"{lead}{entry}" for entry in entries)

    def _evaluate(self, expression: Expression, values: Mapping[str, Value], place: _Place | None) -> Value:
        self.limits.spend()
        match expression:
            case Variable(name=name):
                return values[name]
            case Literal(value=value):
                return value
            case LoopState(fact=fact):
                return _look_at(place, fact)
            case Joined(name=name, separator=separator):
                return self._join(_as_entries(values[name]), separator)
            case Filtered(value=inner, filter=text_filter):
                text = self._to_text(self._evaluate(inner, values, place))
                self.limits.spend(len(text) // CHARACTERS_PER_STEP)
                return _FILTERS[text_filter](text)
            case Negation(value=inner):
                return not self._evaluate(inner, values, place)
            case Junction(left=left, right=right, needs_both=needs_both):
                first = self._evaluate(left, values, place)
                return self._evaluate(right, values, place) if bool(first) is needs_both else first
            case Comparison(left=left, operator=comparison, right=right):
                return self._compare(self._evaluate(left, values, place), comparison, self._evaluate(right, values, place))
            case _:
                assert_never(expression)

    def _compare(self, left: Value, comparison: Operator, right: Value) -> bool:
        self.limits.spend((_measure(left) + _measure(right)) // CHARACTERS_PER_STEP)
        match comparison:
            case Operator.EQUAL:
                return left == right
            case Operator.UNEQUAL:
                return left != right
            case Operator.LESS:
                return _as_number(left) < _as_number(right)
            case Operator.AT_MOST:
                return _as_number(left) <= _as_number(right)
            case Operator.MORE:
                return _as_number(left) > _as_number(right)
            case Operator.AT_LEAST:
                return _as_number(left) >= _as_number(right)
            case Operator.WITHIN:
                return cast("str", left) in cast("str | tuple[str, ...]", right)
            case Operator.NOT_WITHIN:
                return cast("str", left) not in cast("str | tuple[str, ...]", right)
            case _:
                assert_never(comparison)


def _measure(value: Value) -> int:
    """Return about how many characters a look at a value takes."""
    if isinstance(value, tuple):
        return sum(map(len, value)) + len(value)
    return len(value) if isinstance(value, str) else 1


def _as_entries(value: Value) -> tuple[str, ...]:
    """The language lets loops and `join` at lists alone."""
    return cast("tuple[str, ...]", value)


def _as_number(value: Value) -> float:
    """The language lets these comparisons at numbers alone."""
    return cast("float", value)


def _look_at(place: _Place | None, fact: LoopFact) -> Value:
    if place is None:
        raise TemplateInvalid("It asks for its place in a loop outside of one.")
    match fact:
        case LoopFact.FIRST:
            return place.index == 1
        case LoopFact.LAST:
            return place.index == place.length
        case LoopFact.INDEX:
            return place.index
        case _:
            assert_never(fact)
