"""Which events of a body become part of its payload: all that are valid, or given ones."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Self

from unisights._decoding.limits import MAX_FREE
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


@dataclass(slots=True)
class Selection:
    """Selects the events of one body; used once.

    By default, invalid events are quarantined: the others make up the payload. What is wrong
    outside of events makes the whole body invalid, as ever; and so do more invalid events than
    the body's length can account for.

    Attributes:
        takes: whether the event of an index may be part of the payload; None: all may.
        quarantines: whether invalid events are quarantined, or make the body invalid.
        most: so many events may be quarantined.
        quarantined: the indexes of the events that are no part of the payload, being invalid.
        problems: what is wrong with them; no more than are listed.
        session: the session with the selected events only, as parsed JSON; None if the fast path
            took the body as it is.
    """

    takes: Callable[[int], bool] | None = None
    quarantines: bool = True
    most: int = MAX_FREE
    quarantined: tuple[int, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    session: Any = None

    @classmethod
    def without(cls, quarantined: Collection[int]) -> Self:
        """What is left of a body whose events of these indexes were quarantined before."""
        known = frozenset(quarantined)
        return cls(
            lambda index: index not in known, quarantines=False, quarantined=tuple(quarantined)
        )

    @classmethod
    def only(cls, indexes: Collection[int]) -> Self:
        """The events of these indexes; those that are invalid are quarantined."""
        return cls(frozenset(indexes).__contains__)

    def apply(self, definition: str, obj: Any, path: Path, checks: Checks) -> Any:
        """Validate parsed JSON, and return it with the selected events only.

        Returns:
            The same object if all of its events are selected, else a copy.

        Raises:
            ValidationError: more than events is invalid, or they may not be quarantined.
            InvalidJSONError: a number that no double can hold stands where a value is wanted.
        """
        if self.quarantines and find_problems(definition, obj, path, checks, members=False):
            raise error_for(find_problems(definition, obj, path, checks))
        for steps, union in UNION_ARRAYS.get(definition, ()):
            events = array_at(obj, steps)
            selected = self._select(union, events, (*path, *steps), checks)
            if self.quarantines and len(self.quarantined) > self.most:
                raise ValidationError(self.problems)
            if len(selected) < len(events):
                obj = _replace(obj, steps, selected)
        if not self.quarantines and (problems := find_problems(definition, obj, path, checks)):
            raise error_for(problems)
        # Decrypted, the object is the session; sent plain, it holds one.
        self.session = obj if path else obj.get("data")
        return obj

    def _select(self, union: str, events: list[Any], path: Path, checks: Checks) -> list[Any]:
        selected, invalid = [], []
        for index, event in enumerate(events):
            if self.takes is not None and not self.takes(index):
                continue
            if not self.quarantines or is_valid_member(union, event, checks):
                selected.append(event)
            else:
                invalid.append(index)
                if len(invalid) > self.most:
                    break
        if invalid:
            self.quarantined = tuple(invalid)
            members = (((*path, index), events[index]) for index in invalid)
            self.problems = find_member_problems(union, members, checks)
        return selected


def _replace(obj: Any, steps: tuple[str, ...], value: Any) -> Any:
    if not steps:
        return value
    return {**obj, steps[0]: _replace(obj[steps[0]], steps[1:], value)}
