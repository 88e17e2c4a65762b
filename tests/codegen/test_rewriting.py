"""What becomes of fastjsonschema's output: only what is known of it is rewritten."""

import ast

import fastjsonschema
import pytest

from codegen.emit_validators import UnknownCodeError, _without_unions, emit_validators
from codegen.model import build_model
from codegen.schema import read_schema

MODEL = build_model(read_schema())

COMPILE = fastjsonschema.compile_to_code


def emitted(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> str:
    """What is emitted if the compiler writes one thing in the place of another."""

    def compile_to_code(*args: object, **kwargs: object) -> str:
        code = COMPILE(*args, **kwargs)
        assert old in code
        return code.replace(old, new)

    monkeypatch.setattr(fastjsonschema, "compile_to_code", compile_to_code)
    return emit_validators(MODEL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("NoneType = type(None)", "while False: pass"),
        ("NoneType = type(None)", "import sys"),
        ("VERSION = ", "del VERSION; VERSION = "),
        ("    data_is_dict", "    try: x = 1\n    except ValueError: x = 2\n    data_is_dict"),
        ("    data_is_dict = ", "    if not data: return data\n    data_is_dict = "),
        ("    return data", "    return None"),
        ("raise JsonSchemaValueException(", "raise ValueError("),
        ("custom_formats={}, name_prefix=None", "custom_formats={}, name=None"),
        ("def validate(", "def validate_all("),
        ('name="" + (name_prefix or "data") + ""', "name=f'{name_prefix}'"),
        ('name="" + (name_prefix or "data") + ""', 'name="" + (name_prefix or "root") + ""'),
        ('name="" + (name_prefix or "data") + ".', 'name="" + (name_prefix or "data") + "/'),
    ],
)
def test_what_is_not_known_stops_generation(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    """Whatever the compiler writes that the rewriter does not know is an error, never dropped."""
    with pytest.raises(UnknownCodeError):
        emitted(monkeypatch, old, new)


def test_conditions_are_the_compilers_own() -> None:
    """The validators have the compiler's conditions, in its order: no more, and none is missing."""
    compiled = ast.parse(COMPILE(_without_unions(MODEL), use_default=False))
    compiled.body = [node for node in compiled.body if getattr(node, "name", "") != "validate"]
    assert conditions(compiled) == conditions(ast.parse(emit_validators(MODEL)))


def conditions(module: ast.Module) -> list[str]:
    """The conditions of a module, as source."""
    return [ast.unparse(node.test) for node in ast.walk(module) if isinstance(node, ast.If)]
