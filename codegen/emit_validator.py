"""Emits the compiled validators, by fastjsonschema.

Two of them, from the same lowered schema: `verdict` stops at the first problem and says only
that there is one, `findings` collects them. Unions are cut out of what is compiled: their
members are validated one by one, chosen by `type`, so that every problem is named and a batch
costs no more than its events.
"""

import ast
import re
from typing import Any, ClassVar

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

from unisights._decoding.violations import RefusedError
'''

FINDINGS_HEADER = '''"""What is wrong with an object: collects every problem."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from unisights._decoding.violations import Findings, Path
'''


def emit_verdict(model: Model) -> str:
    """Return the source of the validator that stops at the first problem."""
    code = fastjsonschema.compile_to_code(
        # Without details, the compiler cannot compile `const`; one-valued `enum` says the same.
        _lowered(model, const_as_enum=True),
        use_default=False,
        detailed_exceptions=False,
    )
    return _assemble(model, VERDICT_HEADER, code, _VerdictRewriter(), "[Any]")


def emit_findings(model: Model) -> str:
    """Return the source of the validator that collects every problem."""
    code = fastjsonschema.compile_to_code(
        _lowered(model, const_as_enum=False), use_default=False, fast_fail=False
    )
    return _assemble(model, FINDINGS_HEADER, code, _FindingsRewriter(), "[Any, Path, Findings]")


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


def _assemble(model: Model, header: str, code: str, rewriter: "_Rewriter", arguments: str) -> str:
    module = rewriter.visit(ast.parse(code))
    functions = {name: f"validate___definitions_{name.lower()}" for name in model.objects}
    table = "\n".join(f'    "{name}": {function},' for name, function in functions.items())
    return (
        f"{header}\n{ast.unparse(ast.fix_missing_locations(module))}\n\n"
        f"VALIDATORS: dict[str, Callable[{arguments}, None]] = {{\n{table}\n}}\n"
    )


class _Rewriter(ast.NodeTransformer):
    """Makes the compiler's output ours: typed, and with our way to say what is wrong."""

    parameters: ClassVar[dict[str, str]]
    """The parameters of the functions, with their types."""

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
        node.args.args = [
            ast.arg(name, ast.parse(hint, mode="eval").body)
            for name, hint in self.parameters.items()
        ]
        node.args.defaults = []
        node.returns = ast.Constant(None)
        self.generic_visit(node)
        return node

    def visit_Return(self, _node: ast.Return) -> None:
        return None

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if _callee(node).startswith("validate_"):
            return ast.Call(node.func, self.passed_on(node), [])
        self.generic_visit(node)
        return node

    def passed_on(self, call: ast.Call) -> list[ast.expr]:
        """What a function passes to the function of a definition that it refers to."""
        raise NotImplementedError


class _VerdictRewriter(_Rewriter):
    """Leaves only the verdict of the code that stops at the first problem."""

    parameters: ClassVar = {"data": "Any"}

    def visit_Raise(self, _node: ast.Raise) -> ast.Raise:
        return ast.Raise(ast.Name("RefusedError"))

    def passed_on(self, call: ast.Call) -> list[ast.expr]:
        return call.args[:1]


class _FindingsRewriter(_Rewriter):
    """Lets the code that collects all problems collect into one place, by path.

    The compiler's exceptions carry a whole subschema each, and places as text in which a key
    with a dot in it looks like two; ours carry the one rule that was broken, and a tuple.
    """

    parameters: ClassVar = {"data": "Any", "path": "Path", "errors": "Findings"}

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        if _target(node) == "errors":
            return None
        self.generic_visit(node)
        return node

    def visit_If(self, node: ast.If) -> ast.If | None:
        if isinstance(node.test, ast.Name) and node.test.id == "errors":
            return None
        self.generic_visit(node)
        return node

    def visit_Try(self, node: ast.Try) -> ast.stmt:
        (statement,) = node.body
        return self.visit(statement)  # type: ignore[no-any-return]

    def visit_For(self, node: ast.For) -> ast.For:
        # The compiler goes through a set of keys: problems would come in another order each run.
        if isinstance(node.iter, ast.Name) and node.iter.id.endswith("_keys"):
            node.iter = ast.Name(node.iter.id.removesuffix("_keys"))
        self.generic_visit(node)
        return node

    def passed_on(self, call: ast.Call) -> list[ast.expr]:
        return [call.args[0], _path(call.args[2]), ast.Name("errors")]

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "errors.append":
            (problem,) = node.value.args
            assert isinstance(problem, ast.Call)
            details = {keyword.arg: keyword.value for keyword in problem.keywords}
            definition = ast.literal_eval(details["definition"])
            rule = ast.literal_eval(details["rule"])
            expected = definition[rule]
            if rule in STRING_RULES:
                expected = definition.get("x-expects", expected)
            node.value = ast.Call(
                ast.parse("errors.add", mode="eval").body,
                [
                    _path(details["name"]),
                    details["value"],
                    details["rule"],
                    ast.parse(repr(expected), mode="eval").body,
                ],
                [],
            )
        return node


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
            raise ValueError(f"cannot read the compiler's path {template!r}")
        variable = step["key"] or step["index"]
        steps.append(ast.Name(variable) if variable else ast.Constant(step["name"]))
        position = step.end()
    return ast.Tuple(steps) if len(steps) > 1 else ast.Name("path")


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp):
        return _template(node.left) + _template(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _template(node.func.value)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _target(node: ast.Assign) -> str:
    return node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""


def _callee(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""
