"""What importing the package costs, and what it needs."""

import ast
import subprocess

import pytest

from tests.processes import PYTHON
from tests.support import ROOT

FRAMEWORKS = ["fastapi", "starlette", "flask", "werkzeug", "django", "uvicorn", "pydantic"]
GENERATORS = ["fastjsonschema", "datamodel_code_generator", "jsonschema", "ruff"]


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_importing_loads_no_framework() -> None:
    """`import unisights` loads no web framework."""
    finished = _run(f"import sys, unisights; print([m for m in {FRAMEWORKS} if m in sys.modules])")
    assert finished.stdout.strip() == "[]"


def test_importing_costs_nothing() -> None:
    """`import unisights` loads no dependency; its names are imported when they are first used."""
    finished = _run(
        "import sys, unisights\n"
        "print('msgspec' in sys.modules, 'dataclasses' in sys.modules)\n"
        "unisights.UnisightsOptions\n"
        "print('msgspec' in sys.modules)\n"
    )
    assert finished.stdout.split() == ["False", "False", "True"], finished.stderr


def test_whatever_is_named_is_there() -> None:
    """Each public name is an attribute of the package, and `dir` lists it; other names are not."""
    finished = _run(
        "import unisights\n"
        "named = {name: getattr(unisights, name) for name in unisights.__all__}\n"
        "print(named.keys() <= set(dir(unisights)), unisights.types.ClickEvent.__name__)\n"
        "print(named['ClickEvent'] is unisights.types.ClickEvent)\n"
        "try:\n"
        "    unisights.nothing\n"
        "except AttributeError as error:\n"
        "    print(error)\n"
    )
    assert finished.stdout.splitlines() == [
        "True ClickEvent",
        "True",
        "module 'unisights' has no attribute 'nothing'",
    ], finished.stderr


@pytest.mark.parametrize("package", ["unisights", "unisights.sinks"])
def test_type_checkers_see_the_same_names(package: str) -> None:
    """The names that type checkers see in a package exist at run time, from the same modules."""
    path = ROOT / package.replace(".", "/") / "__init__.py"
    (block,) = (
        node
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        name.name: node.module.removeprefix(f"{package}.")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != package
        for name in node.names
    }
    finished = _run(f"import {package} as package; print(package._MODULES)")
    assert ast.literal_eval(finished.stdout) == seen, finished.stderr


def test_the_generators_are_not_needed() -> None:
    """With the generators blocked from import, payloads are decoded, validated and explained."""
    finished = _run(
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({GENERATORS}))\n"
        "import unisights\n"
        "try:\n"
        "    unisights.decode_unisights_payload(b'{}')\n"
        "except unisights.ValidationError as error:\n"
        "    print(error.problems[0].rule)\n"
    )
    assert finished.stdout.strip() == "required", finished.stderr


@pytest.mark.parametrize("framework", ["fastapi"])
def test_a_missing_framework_is_a_clear_error(framework: str) -> None:
    """An adapter without its framework says which extra to install."""
    finished = _run(f"import sys; sys.modules[{framework!r}] = None\nimport unisights.{framework}")
    assert finished.returncode == 1
    last = finished.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert f"unisights[{framework}]" in last
