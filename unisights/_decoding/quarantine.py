"""Quarantine: selects the events of a body that become part of its payload."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Self

from unisights._decoding.out_of_range_numbers import error_for
from unisights._schema.checks import Checks
from unisights._schema.generated.validators import UNION_ARRAYS
from unisights._schema.validation import (
    array_at,
    find_member_problems,
    find_problems,
    is_valid_member,
)
from unisights._schema.violations import Path
from unisights.errors import Problem, ValidationError


@dataclass(frozen=True, slots=True)
class Selected:
    """A body after the selection of its events.

    Attributes:
        obj: the parsed JSON with the selected events only; the same object if that is all of them.
        quarantined: the indexes of the invalid events, which were left out.
        problems: the problems of these events, at most `Checks.max_problems`.
    """

    obj: Any
    quarantined: tuple[int, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """A rule that says which events of a body become part of its payload.

    By default, all valid events do, and the invalid ones are quarantined. A body with problems
    outside of its events is invalid as a whole, and so is one with more invalid events than a body
    of its length may have (see `limits.most_elements`).

    Attributes:
        is_wanted: whether the event of an index may be part of the payload; None: all may.
        sets_aside: whether invalid events are quarantined; if not, they make the body invalid.
        known: the indexes of the events that were quarantined before.
    """

    is_wanted: Callable[[int], bool] | None = None
    sets_aside: bool = True
    known: tuple[int, ...] = ()

    @classmethod
    def without(cls, quarantined: Collection[int]) -> Self:
        """Select all events but those of these indexes, which were quarantined before."""
        known = frozenset(quarantined)
        return cls(lambda index: index not in known, sets_aside=False, known=tuple(quarantined))

    @classmethod
    def only(cls, indexes: Collection[int]) -> Self:
        """Select the events of these indexes; those that are invalid are quarantined."""
        return cls(frozenset(indexes).__contains__)

    def apply(
        self, definition: str, obj: Any, path: Path, checks: Checks, max_quarantined: int
    ) -> Selected:
        """Validate parsed JSON and select its events.

        Args:
            definition: the definition in the schema that `obj` is validated by.
            obj: parsed JSON.
            path: the place of `obj` in the payload.
            checks: which rules are enforced.
            max_quarantined: the greatest number of events that may be quarantined.

        Raises:
            ValidationError: something outside of the events is invalid, or events are and may not
                be quarantined, or are too many.
            InvalidJSONError: a number that no double can hold stands where a value is wanted.
        """
        if not self.sets_aside:
            return self._apply_strictly(definition, obj, path, checks)
        if find_problems(definition, obj, path, checks, members=False):
            raise error_for(find_problems(definition, obj, path, checks))
        quarantined: list[int] = []
        problems: list[Problem] = []
        for steps, union in UNION_ARRAYS.get(definition, ()):
            events = array_at(obj, steps)
            valid, invalid = self._split(union, events, checks, max_quarantined)
            if invalid:
                members = (((*path, *steps, index), events[index]) for index in invalid)
                problems += find_member_problems(union, members, checks)
                quarantined += invalid
            if len(quarantined) > max_quarantined:
                raise ValidationError(problems)
            obj = _replace_events(obj, steps, valid)
        return Selected(obj, tuple(quarantined), tuple(problems))

    def _apply_strictly(self, definition: str, obj: Any, path: Path, checks: Checks) -> Selected:
        for steps, _union in UNION_ARRAYS.get(definition, ()):
            wanted = [event for _index, event in self._wanted(array_at(obj, steps))]
            obj = _replace_events(obj, steps, wanted)
        if problems := find_problems(definition, obj, path, checks):
            raise error_for(problems)
        return Selected(obj, self.known)

    def _split(
        self, union: str, events: list[Any], checks: Checks, max_quarantined: int
    ) -> tuple[list[Any], list[int]]:
        """Return the wanted events that are valid, and the indexes of those that are not.

        It stops once more than `max_quarantined` are invalid.
        """
        valid, invalid = [], []
        for index, event in self._wanted(events):
            if is_valid_member(union, event, checks):
                valid.append(event)
            else:
                invalid.append(index)
                if len(invalid) > max_quarantined:
                    break
        return valid, invalid

    def _wanted(self, events: list[Any]) -> Iterator[tuple[int, Any]]:
        for index, event in enumerate(events):
            if self.is_wanted is None or self.is_wanted(index):
                yield index, event


def _replace_events(obj: Any, steps: tuple[str, ...], events: list[Any]) -> Any:
    """Return parsed JSON with other events; the same object if there are as many as before."""
    return obj if len(events) == len(array_at(obj, steps)) else _replace(obj, steps, events)


def _replace(obj: Any, steps: tuple[str, ...], value: Any) -> Any:
    if not steps:
        return value
    return {**obj, steps[0]: _replace(obj[steps[0]], steps[1:], value)}
