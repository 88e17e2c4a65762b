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
        "assert named.keys() >= {*unisights.types.__all__}\n"
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
    if package == "unisights":
        assert seen.pop("*") == "types"  # all of them, whatever the schema has
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


@pytest.mark.parametrize("framework", ["fastapi", "django"])
def test_a_missing_framework_is_a_clear_error(framework: str) -> None:
    """An adapter without its framework says which extra to install."""
    finished = _run(f"import sys; sys.modules[{framework!r}] = None\nimport unisights.{framework}")
    assert finished.returncode == 1
    last = finished.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert f"unisights[{framework}]" in last


PACKAGES = ["unisights", "codegen", "benchmarks", "tests"]


def _imports() -> dict[str, set[str]]:
    """The modules of this repository that each of its modules imports, anywhere in it."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                # `from package import module` is an import of the module alone.
                imported |= {member if member in names else node.module for member in members}
        found[name] = (imported & names.keys()) - {name}
    return found


def test_no_modules_import_each_other() -> None:
    """There is no circle of imports, be they in a function or for type checkers only."""
    found = _imports()
    assert found["unisights.flask"] >= {"unisights.config", "unisights._endpoint.synchronous"}
    while free := {name for name, imported in found.items() if not imported & found.keys()}:
        for name in free:
            del found[name]
    # What is left imports what is left.
    assert not found


LAYERS = [
    {"django"},  # it brings the command into manage.py
    {"_cli"},
    {"asgi", "fastapi", "flask"},
    {"_endpoint"},
    {"control"},
    {"collector"},
    {"_delivery"},
    {"_spool"},
    {"sinks"},
    {"_http"},
    {"validator", "testing"},
    {"_decoding"},
    {"config"},
    {"delivery"},
    {"stats", "readiness"},
    {"rejection"},
    {"request"},
    {"schema"},
    {"types"},
    {"_schema"},
    {"encryption"},
    {"retry"},
    {"_checks"},
    {"_sqlite"},
    {"errors"},
    {"_runtime"},
]


def test_imports_run_one_way() -> None:
    """A room imports from the rooms below it only; no adapter imports another."""
    height = {room: -level for level, rooms in enumerate(LAYERS) for room in rooms}

    def room_of(module: str) -> str:
        return module.split(".")[1] if "." in module else ""

    for module, imported in _imports().items():
        room = room_of(module)
        if module.startswith("unisights.") and room != "__main__":
            for other in map(room_of, imported):
                assert other in {"", room} or height[other] < height[room], (module, other)
