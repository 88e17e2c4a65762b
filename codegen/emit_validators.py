"""Emits `_schema/generated/validators.py`: the validators that fastjsonschema compiles.

What fastjsonschema is given is the schema without its unions: their members are validated one by
one, chosen by `type`, so that every problem is named and a body costs no more than its events.

What it returns raises at the first violation. `_Rewriter` makes it report all of them, and changes
nothing else; the conditions are the compiler's own. It rewrites, each in the method of that name:

- the module: the imports are replaced; the function of the root schema, which only makes the
  compiler write the others, is left out;
- the functions: their parameters are `(data, path, violations)`, with types, and the `return data`
  at their end is left out;
- `raise`: a call of `violations.add`. The compiler's exceptions carry a whole subschema each, and
  places as text, in which a key with a dot in it looks like two;
- calls of the function of another definition: they pass on the place and the violations;
- loops over a set of keys: the object's own order, or problems would come in another order each
  run.

(The compiler's own way to report all violations, `fast_fail=False`, has no bound on how many it
collects: an attacker would choose how much memory that takes.)
"""

import ast
import re
from typing import Any

import fastjsonschema

from codegen.document import DRAFT_07
from codegen.model import Model, ObjectType, Value

STRING_RULES = {"minLength", "maxLength", "pattern"}
"""Rules that a schema explains to people with `x-expects`, as they say little by themselves."""

HEADER = '''"""Validates objects by the schema's definitions; compiled by fastjsonschema."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from unisights._schema.violations import Path, Violations
'''

TABLES = '''
VALIDATORS: dict[str, Callable[[Any, Path, Violations], None]] = {validators}
"""The validator of each definition; it adds to the violations what is wrong with an object."""

UNIONS: dict[str, dict[str, str]] = {unions}
"""For each union, the definition that each `type` stands for."""

UNION_ARRAYS: dict[str, list[tuple[tuple[str, ...], str]]] = {union_arrays}
"""For each definition, the paths of its arrays of unions, and which union."""
'''


def emit_validators(model: Model) -> str:
    """Return the module's source, not yet formatted."""
    compiled = fastjsonschema.compile_to_code(_without_unions(model), use_default=False)
    module = _Rewriter().visit(ast.parse(compiled))
    functions = {name: f"validate___definitions_{name.lower()}" for name in model.objects}
    union_arrays = {name: model.union_arrays(name) for name in model.objects}
    tables = TABLES.format(
        validators="{" + ", ".join(f'"{name}": {f}' for name, f in functions.items()) + "}",
        unions={union.name: union.members for union in model.unions.values()},
        union_arrays={name: found for name, found in union_arrays.items() if found},
    )
    return f"{HEADER}\n{ast.unparse(ast.fix_missing_locations(module))}\n{tables}"


# What the compiler is given.


def _without_unions(model: Model) -> dict[str, Any]:
    definitions = {
        name: _object(obj, model.schema.definitions[name]) for name, obj in model.objects.items()
    }
    # The root refers to every definition, so that each gets a function of its own.
    references = {name: {"$ref": f"#/definitions/{name}"} for name in definitions}
    return {"$schema": DRAFT_07, "definitions": definitions, "properties": references}


def _object(obj: ObjectType, wire: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {f.name: _subschema(f.value) for f in obj.fields}}
    if wire.get("required"):
        schema["required"] = wire["required"]
    if obj.is_open:
        schema["additionalProperties"] = {"type": "string"}
    return schema


def _subschema(value: Value) -> dict[str, Any]:
    if value.kind == "object":
        return {"$ref": f"#/definitions/{value.name}"}
    if value.kind == "array":
        assert value.item is not None
        if value.item.kind == "union":
            return {"type": "array"}
        return {"type": "array", "items": _subschema(value.item)}
    dropped = {"title", "description", "examples", "default", "x-decode"}
    return {key: rule for key, rule in value.wire.items() if key not in dropped}


# What becomes of what it returns.

_KEPT = (ast.Assign, ast.Expr, ast.For, ast.FunctionDef, ast.If)
"""The statements that the rewriter knows, besides `raise`, in the compiler's functions."""

_IMPORTS = {
    "from decimal import Decimal",
    "import re",
    "from fastjsonschema import JsonSchemaValueException, JsonSchemaValuesException",
}


class _Rewriter(ast.NodeTransformer):
    """Makes the compiler's output report all violations; the module's docstring says how."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        statements = [s for s in node.body if ast.unparse(s) not in _IMPORTS]
        functions = [s for s in statements if not _is_root_function(s)]
        if len(functions) != len(statements) - 1:
            raise UnknownCodeError("there is not one function of the root schema")
        node.body = [self.visit(statement) for statement in functions]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if ast.unparse(node.args) != "data, custom_formats={}, name_prefix=None":
            raise UnknownCodeError(f"the parameters of {node.name}")
        parsed = ast.parse("def f(data: Any, path: Path, violations: Violations) -> None: ...")
        (signature,) = parsed.body
        assert isinstance(signature, ast.FunctionDef)
        node.args, node.returns = signature.args, signature.returns
        if ast.unparse(node.body.pop()) != "return data":
            raise UnknownCodeError(f"the end of {node.name}")
        self.generic_visit(node)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.Expr:
        error = node.exc
        if not isinstance(error, ast.Call) or _callee(error) != "JsonSchemaValueException":
            raise UnknownCodeError(ast.unparse(node))
        details = {keyword.arg: keyword.value for keyword in error.keywords}
        definition = ast.literal_eval(details["definition"])
        rule = ast.literal_eval(details["rule"])
        expected = definition[rule]
        if rule in STRING_RULES:
            expected = definition.get("x-expects", expected)
        arguments = [
            _path(details["name"]),
            details["value"],
            details["rule"],
            ast.parse(repr(expected), mode="eval").body,
        ]
        return ast.Expr(ast.Call(ast.Name("violations.add"), arguments, []))

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if _callee(node).startswith("validate_"):
            data, _formats, name = node.args
            return ast.Call(node.func, [data, _path(name), ast.Name("violations")], [])
        self.generic_visit(node)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        if isinstance(node.iter, ast.Name) and node.iter.id.endswith("_keys"):
            node.iter = ast.Name(node.iter.id.removesuffix("_keys"))
        self.generic_visit(node)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.stmt) and not isinstance(node, _KEPT):
            raise UnknownCodeError(ast.unparse(node))
        return super().generic_visit(node)


class UnknownCodeError(Exception):
    """The compiler has written what the rewriter does not know; says what."""


def _is_root_function(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef) and statement.name == "validate"


_STEP = re.compile(r"\.\{(?P<key>\w+)\}|\.(?P<name>\w+)|\[\{(?P<index>\w+)\}\]")


def _path(node: ast.expr) -> ast.expr:
    """Turn the compiler's text of a place into a tuple that says the same.

    `"" + (name_prefix or "data") + ".a[{data__a_x}]".format(**locals()) + ""` becomes
    `(*path, "a", data__a_x)`.
    """
    template = _template(node)
    steps: list[ast.expr] = [ast.Starred(ast.Name("path"))]
    position = 0
    while position < len(template):
        step = _STEP.match(template, position)
        if step is None:
            raise UnknownCodeError(f"the place {template!r}")
        variable = step["key"] or step["index"]
        steps.append(ast.Name(variable) if variable else ast.Constant(step["name"]))
        position = step.end()
    return ast.Tuple(steps) if len(steps) > 1 else ast.Name("path")


def _template(node: ast.expr) -> str:
    match node:
        case ast.BinOp(left, ast.Add(), right):
            return _template(left) + _template(right)
        case ast.Call(ast.Attribute(text, "format")):
            return _template(text)
        case ast.BoolOp(ast.Or(), [ast.Name("name_prefix"), ast.Constant("data")]):
            return ""
        case ast.Constant(str(text)):
            return text
    raise UnknownCodeError(f"the place {ast.unparse(node)}")


def _callee(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""
