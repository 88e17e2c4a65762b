"""Structs of msgspec that are dataclasses of the standard library, too.

A payload holds hundreds of events. msgspec makes structs in a fraction of the time that it takes
for slotted dataclasses, and only structs can it tell apart by a tag. With the standard library's
decorator on top, `dataclasses.fields`, `asdict` and `replace` work on them as on any dataclass,
and so does whatever asks `is_dataclass`: orjson, pydantic, FastAPI.
"""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from msgspec import NODEFAULT, Struct

R = TypeVar("R", bound="Record")

# The struct has all that these would write, in C.
_decorate = dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False, kw_only=True)


class Record(Struct, kw_only=True):
    """The base of such a struct."""

    if TYPE_CHECKING:
        # What type checkers know a dataclass by; `record` makes it.
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


def record(cls: type[R]) -> type[R]:
    """Make a struct a dataclass of the standard library.

    Not from `__init_subclass__`: there, the struct is not made yet.
    """
    _decorate(cls)
    names, defaults = cls.__struct_fields__, cls.__struct_defaults__
    # Only the last fields have an entry, and required ones among them an empty one.
    for name, default in zip(reversed(names), reversed(defaults), strict=False):
        field = cls.__dataclass_fields__[name]
        if (factory := getattr(default, "factory", None)) is not None:
            field.default_factory = factory
        elif default is not NODEFAULT:
            field.default = default
    return cls
