"""Structs of msgspec that are dataclasses of the standard library, too.

A payload holds hundreds of events. msgspec makes structs much faster than slotted dataclasses, and
only structs can it tell apart by a tag. With the standard library's decorator on top,
`dataclasses.fields`, `asdict` and `replace` work on them as on any dataclass, and so does all code
that asks `is_dataclass`, such as orjson. They are not made to be subclassed.
"""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from msgspec import NODEFAULT, Struct

R = TypeVar("R", bound="Record")

# The struct has all of these methods already, in C.
_decorate = dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False, kw_only=True)


class Record(Struct, kw_only=True):
    """The base of such a struct."""

    if TYPE_CHECKING:
        # Type checkers recognise a dataclass by this attribute; `record` sets it.
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

        @classmethod
        def from_dict(cls, obj: object) -> Self: ...
        def to_dict(self) -> dict[str, Any]: ...

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        """Let pydantic call `from_dict`: it cannot validate structs by itself."""
        from pydantic_core import core_schema  # noqa: PLC0415  # only pydantic asks

        return core_schema.no_info_plain_validator_function(
            lambda obj: obj if isinstance(obj, cls) else cls.from_dict(obj),
            serialization=core_schema.plain_serializer_function_ser_schema(_to_dict),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: Any) -> dict[str, Any]:
        from unisights._schema.schema_document import inlined_definition  # noqa: PLC0415  # few ask

        return inlined_definition(cls.__name__)


def _to_dict(obj: Record) -> dict[str, Any]:
    # For a union, pydantic would call the first member's `to_dict`; this calls the object's own.
    return obj.to_dict()


def record(cls: type[R]) -> type[R]:
    """Make a struct a dataclass of the standard library; a tag is a field that cannot be set.

    Not from `__init_subclass__`: there, the struct is not made yet.
    """
    if (tag := cls.__struct_config__.tag) is not None:
        # msgspec lets no field have the tag's name, so `type` becomes a class attribute.
        cls.__annotations__["type"] = f"Literal[{tag!r}]"
        cls.type = dataclasses.field(default=tag, init=False)  # type: ignore[attr-defined]
    _decorate(cls)
    names, defaults = cls.__struct_fields__, cls.__struct_defaults__
    # `__struct_defaults__` is aligned to the end of `__struct_fields__`; NODEFAULT marks a required
    # field.
    for name, default in zip(reversed(names), reversed(defaults), strict=False):
        field = cls.__dataclass_fields__[name]
        # msgspec does not export the class that wraps a default factory.
        if (factory := getattr(default, "factory", None)) is not None:
            field.default_factory = factory
        elif default is not NODEFAULT:
            field.default = default
    return cls
