"""What the generated `from_dict` methods call."""

from typing import TypeVar

T = TypeVar("T")


def from_object(cls: type[T], obj: object) -> T:
    """Validate parsed JSON as one of the payload's types.

    Raises:
        ValidationError: with every problem, its pointers relative to `obj`.
    """
    from unisights.validator import validate_as  # noqa: PLC0415  # it imports the types

    return validate_as(cls, obj)
