"""Emits the compiled validators, by fastjsonschema.

Two of them, from the same lowered schema: `verdict` stops at the first problem and says only
that there is one, `findings` collects them. Unions are cut out of what is compiled: their
members are validated one by one, chosen by `type`, so that every problem is named and a batch
costs no more than its events.
"""

import ast
from typing import Any

import fastjsonschema

from codegen.model import Model, ObjectType, Value
from codegen.schema import DRAFT_07

STRING_RULES = {"minLength", "maxLength", "pattern"}
"""Rules that a schema explains to people with `x-expects`, as they say little by themselves."""

VERDICT_HEADER = '''"""Whether an object is valid: raises at the first problem."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from unisights._findings import RefusedError
'''

FINDINGS_HEADER = '''"""What is wrong with an object: collects every problem."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from unisights._findings import Finding, Findings, FindingsError
'''


def emit_verdict(model: Model) -> str:
    """Return the source of the validator that stops at the first problem."""
    code = fastjsonschema.compile_to_code(
        # Without details, the compiler cannot compile `const`; one-valued `enum` says the same.
        _lowered(model, const_as_enum=True),
        use_default=False,
        detailed_exceptions=False,
    )
    return _assemble(model, VERDICT_HEADER, code)


def emit_findings(model: Model) -> str:
    """Return the source of the validator that collects every problem."""
    code = fastjsonschema.compile_to_code(
        _lowered(model, const_as_enum=False), use_default=False, fast_fail=False
    )
    return _assemble(model, FINDINGS_HEADER, code)


def _lowered(model: Model, *, const_as_enum: bool) -> dict[str, Any]:
    definitions = {
        name: _lower_object(obj, model.schema.definitions[name], const_as_enum=const_as_enum)
        for name, obj in model.objects.items()
    }
    # The root refers to every definition, so that each gets a function of its own.
    references = {name: {"$ref": f"#/definitions/{name}"} for name in definitions}
    return {"$schema": DRAFT_07, "definitions": definitions, "properties": references}


def _lower_object(obj: ObjectType, wire: dict[str, Any], *, const_as_enum: bool) -> dict[str, Any]:
    lowered = {
        "type": "object",
        "properties": {f.name: _lower(f.value, const_as_enum=const_as_enum) for f in obj.fields},
    }
    if wire.get("required"):
        lowered["required"] = wire["required"]
    if obj.is_open:
        lowered["additionalProperties"] = {"type": "string"}
    return lowered


def _lower(value: Value, *, const_as_enum: bool) -> dict[str, Any]:
    if value.kind == "object":
        return {"$ref": f"#/definitions/{value.name}"}
    if value.kind == "array":
        assert value.item is not None
        if value.item.kind == "union":
            return {"type": "array"}
        return {"type": "array", "items": _lower(value.item, const_as_enum=const_as_enum)}
    if value.kind == "const" and const_as_enum:
        return {"enum": [value.wire["const"]]}
    dropped = {"title", "description", "examples", "default", "x-decode"}
    return {key: rule for key, rule in value.wire.items() if key not in dropped}


def _assemble(model: Model, header: str, code: str) -> str:
    module = _Rewriter().visit(ast.parse(code))
    functions = {name: f"validate___definitions_{name.lower()}" for name in model.objects}
    if len(set(functions.values())) != len(functions):
        raise ValueError("two definitions differ in case only")
    table = "\n".join(f'    "{name}": {function},' for name, function in functions.items())
    return (
        f"{header}\n{ast.unparse(ast.fix_missing_locations(module))}\n\n"
        f"VALIDATORS: dict[str, Callable[[Any], Any]] = {{\n{table}\n}}\n"
    )


class _Rewriter(ast.NodeTransformer):
    """Makes the compiler's output ours: typed, and raising our exceptions.

    The compiler's exceptions carry a whole subschema each, at every place that can fail; ours
    carry the one rule that was broken.
    """

    def visit_Module(self, node: ast.Module) -> ast.Module:
        kept = [
            statement
            for statement in node.body
            if not isinstance(statement, ast.ImportFrom | ast.Import)
            and not (isinstance(statement, ast.Assign) and _target(statement) == "VERSION")
            and not (isinstance(statement, ast.FunctionDef) and statement.name == "validate")
        ]
        node.body = [self.visit(statement) for statement in kept]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        hints = {"data": "Any", "custom_formats": "Any", "name_prefix": "str | None"}
        for argument in node.args.args:
            argument.annotation = ast.parse(hints[argument.arg], mode="eval").body
        node.args.defaults = [ast.Constant(None), ast.Constant(None)]
        node.returns = ast.Name("Any")
        self.generic_visit(node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        self.generic_visit(node)
        if _target(node) == "errors":
            node.value = ast.Call(ast.Name("Findings"), [], [])
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        if isinstance(node.exc, ast.Call) and _callee(node.exc) == "JsonSchemaValueException":
            return ast.Raise(ast.Name("RefusedError"))
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id == "JsonSchemaValuesException":
            return ast.Name("FindingsError", node.ctx)
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if _callee(node) == "JsonSchemaValueException":
            details = {keyword.arg: keyword.value for keyword in node.keywords}
            definition = ast.literal_eval(details["definition"])
            rule = ast.literal_eval(details["rule"])
            expected = definition[rule]
            if rule in STRING_RULES:
                expected = definition.get("x-expects", expected)
            expected = ast.parse(repr(expected), mode="eval").body
            arguments = [details["name"], details["value"], details["rule"], expected]
            return ast.Call(ast.Name("Finding"), arguments, [])
        self.generic_visit(node)
        return node


def _target(node: ast.Assign) -> str:
    return node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""


def _callee(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""
