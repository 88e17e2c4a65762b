"""The benchmarks run, and their reports are what they measured; no time is asserted here."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import bodies, contestants, hostile, load, parts, report, results, serving
from benchmarks.bars import BARS, Bar
from benchmarks.compare import NEW, OLD, package_at, probe
from benchmarks.contestants import App
from benchmarks.decoders import decoders
from benchmarks.results import Results
from benchmarks.timing import Case, Effort, interleave
from tests.support import ROOT
from unisights import UnisightsError, decode_unisights_payload

LEAST = parts.Efforts(
    few=Effort(1, 0.0001),
    many=Effort(1, 0.0001),
    imports=1,
    load=Effort(1, 1),
    events=(100, 10_000),
    hostile=(4096, 8192),
)

NEED_SERVERS = {"load", "durable", "memory"}

MODULES = sorted((ROOT / "benchmarks").rglob("*.py"))


@pytest.fixture(scope="module")
def found() -> Results:
    """A run of everything that needs no server, as short as it can be."""
    return parts.measure([part for part in parts.PARTS if part not in NEED_SERVERS], LEAST)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_benchmarks_use_public_names_only(path: Path) -> None:
    """They run without the test tools, and beside a revision whose private modules differ."""
    imported = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported += [f"{node.module}.{alias.name}" for alias in node.names]
    assert not [name for name in imported if name.startswith(("tests", "pytest", "unisights._"))]


def test_a_run_can_be_kept(found: Results, tmp_path: Path) -> None:
    """A run that is read and written again is the same."""
    found.write(tmp_path / "run.json")
    again = results.read(tmp_path / "run.json")
    again.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == (tmp_path / "run.json").read_text()
    assert again.sections.keys() == found.sections.keys()


def test_a_run_is_reported(found: Results) -> None:
    """The report names every case, every contestant and the machine, in tables without gaps."""
    text = report.as_text(found, found.sections)
    assert found.machine["processor"] in text
    for case in (case for cases in found.sections.values() for case in cases):
        assert case.name in text
        assert all(contestant in text for contestant in case.samples)
    for part in text.split("\n\n"):
        if part.startswith("|"):
            assert len({line.count(" | ") for line in part.splitlines()}) == 1


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: bar.what)
def test_every_bar_is_measured(bar: Bar, found: Results) -> None:
    """Every bar has a figure in a run, and in the committed one."""
    assert bar.value(results.read(results.FULL)) is not None
    if bar.section not in NEED_SERVERS:
        assert bar.value(found) is not None
        return
    groups = {f"{group}, {{}}": apps for group, apps in contestants.GROUPS.items()}
    apps = groups.get(bar.case, contestants.DELIVERIES)
    assert {bar.contestant, bar.reference} <= {app.name for app in apps}


def test_a_bar_that_is_not_met_is_named() -> None:
    """A result says whether the limit is kept to, and whether the goal is reached."""
    at_most = Bar("section", "case", "ours", "theirs", "≤", 2, 1)
    assert [at_most.result(value) for value in (3, 2, 1)] == ["NOT MET", "met", "met, and the goal"]
    assert replace(at_most, sign="≥", goal=None).result(1) == "NOT MET"


def test_without_wrk_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no load can be made, the report says what to install."""
    monkeypatch.setattr(load, "is_available", lambda: False)
    assert "SKIPPED" in report.as_text(parts.measure(["load"], LEAST), [])


@pytest.mark.parametrize("name", decoders())
def test_decoders_take_every_body(name: str) -> None:
    """No contestant is fast because it refuses a body that another one takes."""
    for body in (*bodies.recorded(), bodies.with_events(100), bodies.long_url()):
        decoders()[name](body)


def test_mixed_bodies_hold_all_types() -> None:
    """They are valid, and decode to the same whether they are sent plain or encrypted."""
    body = bodies.with_events(100)
    plain = decode_unisights_payload(body)
    assert {event.type for event in plain.data.events} == {
        *("page_view", "click", "web_vital", "custom", "error")
    }
    assert decode_unisights_payload(bodies.encrypted(body)).data == plain.data


@pytest.mark.parametrize("size", [4096, 65536])
def test_hostile_bodies_are_what_they_claim(size: int) -> None:
    """Attacks are refused, hard bodies are accepted, and all are about as long as asked."""
    for name, make in hostile.attacks().items():
        assert size * 0.8 < len(make(size)) <= size * 1.01, name
        with pytest.raises(UnisightsError):
            decode_unisights_payload(make(size))
    for name, make in hostile.hard_to_accept().items():
        assert size * 0.8 < len(make(size)) <= size * 1.01, name
        decode_unisights_payload(make(size))


@pytest.mark.parametrize(
    "app", [*contestants.ADAPTERS, *contestants.DELIVERIES[1:2]], ids=lambda app: app.name
)
def test_an_app_serves(app: App) -> None:
    """Each app under load starts on its server and takes a body."""
    with serving.serving(app) as server:
        assert server.pid in server.processes()


def test_a_revision_is_measured_by_itself() -> None:
    """A comparison times the revision's own package, not the working tree's."""
    with package_at("HEAD") as tree:
        times = probe(tree, 0.0001)
    assert "decode recorded mix" in times


def test_rounds_are_interleaved() -> None:
    """Each contestant runs once a round, each time another one first."""
    ran: list[str] = []
    interleave({name: lambda name=name: ran.append(name) for name in "abc"}, 3)
    assert "".join(ran) == "abcbcacab"


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that slows down for a round slows both, and their ratio stays."""
    case = Case("case", "s", OLD, {OLD: [1, 10, 1], NEW: [2, 20, 2]})
    assert case.ratio(NEW) == 2
    assert case.quartiles(NEW) == (2, 2)
    assert case.ratio(OLD, NEW) == 0.5
