"""The benchmarks run, and what is written of them is what they found; nothing is timed here."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import corpus, load, parts, readme, report, results
from benchmarks.bars import BARS
from benchmarks.compare import NEW, OLD, Probe, package_at
from benchmarks.decoders import decoders
from benchmarks.load import LoadEffort
from benchmarks.markdown import as_markdown
from benchmarks.plot import as_svg
from benchmarks.results import Results
from benchmarks.serving import ADAPTERS, BARE_PARSE, FASTAPI_MODEL, App, serving
from benchmarks.timing import Case, Effort, interleave
from tests.support import ROOT
from unisights import UnisightsError, decode_unisights_payload

LEAST = parts.Efforts(
    few=Effort(2, 0.0001),
    many=Effort(1, 0.0001),
    imports=1,
    load=LoadEffort(1, 1),
    events=(1, 100),
    hostile=(4096, 8192),
    flooded=(),
)
"""Everything, once."""


SERVED = {"load", "durable"}
"""What takes servers, and a load generator that may not be there."""


@pytest.fixture(scope="module")
def found() -> Results:
    """A run of everything but load, as short as it can be."""
    return parts.measure([part for part in parts.PARTS if part not in SERVED], LEAST)


def test_a_run_can_be_kept(found: Results, tmp_path: Path) -> None:
    """What is read again renders as what was written, but for digits that mean nothing."""
    found.write(tmp_path / "run.json")
    again = results.read(tmp_path / "run.json")
    again.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == (tmp_path / "run.json").read_text()
    assert again.sections.keys() == found.sections.keys()


def test_a_run_is_reported(found: Results) -> None:
    """The text names every case that was measured, and the machine."""
    text = report.as_text(found)
    assert found.machine["processor"] in text
    for cases in found.sections.values():
        for case in cases:
            assert case.name in text


def test_every_bar_has_a_figure(found: Results) -> None:
    """No bar names a case or a contestant that is not measured."""
    measured = {bar.what for bar, _ in report.all_bars(found)}
    for bar in BARS:
        if bar.section not in SERVED and "10,000 events" not in bar.what:
            assert bar.what in measured


def test_without_wrk_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no load can be made, the report says what to install."""
    monkeypatch.setattr(load, "is_available", lambda: False)
    assert "SKIPPED" in report.as_text(parts.measure(["load"], LEAST))


def test_the_picture_is_xml(found: Results) -> None:
    """The plot of a run can be parsed, and has a bar for each decoder."""
    picture = ET.fromstring(as_svg(found))  # noqa: S314  # our own
    bars = [part for part in picture if part.tag.endswith("rect")]
    assert len(bars) == len(decoders())


def test_the_readme_shows_what_was_measured() -> None:
    """What stands in the README is what the committed run renders to; the plot too."""
    text = readme.shown((ROOT / "README.md").read_text(encoding="utf-8"))
    if not results.FULL.exists():
        assert not text.strip()
        return
    full = results.read(results.FULL)
    assert text == readme.rendered(full)
    assert readme.PLOT.read_text(encoding="utf-8") == as_svg(full)


def test_markdown_tables_have_equal_rows(found: Results) -> None:
    """Every row of a table has as many cells as its head."""
    tables = [part for part in as_markdown(found).split("\n\n") if part.startswith("|")]
    for table in tables:
        assert len({line.count(" | ") for line in table.splitlines()}) == 1


def test_decoders_take_every_body() -> None:
    """No contestant is fast because it refuses: each one takes what is decoded, and so do we."""
    bodies = [corpus.mixed_body(100), corpus.long_url_body()]
    bodies += [b for b in corpus.captures().values() if not json.loads(b)["encrypted"]]
    for each in decoders():
        for body in bodies:
            each.decode(body)


def test_mixed_bodies_hold_all_types() -> None:
    """Ours take them, plain and encrypted, and both are equal."""
    body = corpus.mixed_body(100)
    plain = decode_unisights_payload(body)
    assert {event.type for event in plain.data.events} == {
        *("page_view", "click", "web_vital", "custom", "error")
    }
    assert decode_unisights_payload(corpus.encrypted_body(body)).data == plain.data


@pytest.mark.parametrize("size", [4096, 65536])
def test_hostile_bodies_are_what_they_claim(size: int) -> None:
    """Attacks are refused, what is only hard is taken, and all are about as long as asked."""
    for name, make in corpus.attacks().items():
        assert size * 0.8 < len(make(size)) <= size * 1.01, name
        with pytest.raises(UnisightsError):
            decode_unisights_payload(make(size))
    for name, make in corpus.hard_to_accept().items():
        assert size * 0.8 < len(make(size)) <= size * 1.01, name
        decode_unisights_payload(make(size))


@pytest.mark.parametrize("app", [*ADAPTERS, BARE_PARSE, FASTAPI_MODEL], ids=lambda app: app.name)
def test_an_app_serves(app: App) -> None:
    """Each app under load starts on its server and takes the body."""
    with serving(app, corpus.mixed_body(10)) as server:
        assert server.pid in server.processes()
        assert server.processor_time() > 0


def test_a_revision_is_measured_by_itself() -> None:
    """A comparison times the revision's own package, not the working tree's."""
    with package_at("HEAD") as tree, Probe(tree) as probe:
        (case, *_) = probe.cases
        assert probe.ask(case=case, count=1) > 0


def test_rounds_are_interleaved() -> None:
    """Each contestant runs once a round, each time another one first."""
    ran: list[str] = []
    runs = {name: lambda name=name: ran.append(name) or float(len(ran)) for name in "abc"}
    interleave(runs, 3)
    assert "".join(ran) == "abcbcacab"


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that slows down for a round slows both, and their ratio stays."""
    case = Case("case", "s", OLD, {OLD: [1, 10, 1], NEW: [2, 20, 2]})
    assert case.ratio(NEW).median == case.ratio(NEW).high == 2
    assert replace(case, reference=NEW).ratio(OLD).median == 0.5
