"""Structs of msgspec that are dataclasses of the standard library, too.

A payload holds hundreds of events. msgspec makes structs in a fraction of the time that it takes
for slotted dataclasses, and only structs can it tell apart by a tag. With the standard library's
decorator on top, `dataclasses.fields`, `asdict` and `replace` work on them as on any dataclass,
and so does whatever asks `is_dataclass`, such as orjson. They are not made to be subclassed.
"""

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from msgspec import NODEFAULT, Struct

R = TypeVar("R", bound="Record")

# The struct has all that these would write, in C.
_decorate = dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False, kw_only=True)


class Record(Struct, kw_only=True):
    """The base of such a struct."""

    if TYPE_CHECKING:
        # What type checkers know a dataclass by; `record` makes it.
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

        @classmethod
        def from_dict(cls, obj: object) -> Self: ...
        def to_dict(self) -> dict[str, Any]: ...

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        """Let pydantic make one by the schema: the way of its own is not open for structs."""
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
    # Its own: of a union, pydantic asks the first member first.
    return obj.to_dict()


def record(cls: type[R]) -> type[R]:
    """Make a struct a dataclass of the standard library; a tag is a field that cannot be set.

    Not from `__init_subclass__`: there, the struct is not made yet.
    """
    if (tag := cls.__struct_config__.tag) is not None:
        # Beside the tag, which msgspec writes itself, no field of that name may be in the struct:
        # there, `type` is a variable of the class.
        cls.__annotations__["type"] = f"Literal[{tag!r}]"
        cls.type = dataclasses.field(default=tag, init=False)  # type: ignore[attr-defined]
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
