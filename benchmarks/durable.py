"""Durable beside inline delivery, on FastAPI under load; and how many payloads share a commit."""

import contextlib

from benchmarks import corpus
from benchmarks.load import LoadEffort, measure_servers
from benchmarks.serving import DURABLE, DURABLE_POWER, INLINE, Server, serving
from benchmarks.timing import Case
from unisights._spool.store import Spool

DURABLE_LOAD = "2 kB a body, async handler"
COMMITS = "payloads a commit"


def measure_durable(effort: LoadEffort) -> list[Case]:
    """Requests a second with each delivery, and what the spools have counted."""
    body = corpus.long_url_body()
    with contextlib.ExitStack() as stack:
        servers = {
            app.name: stack.enter_context(serving(app, body))
            for app in (INLINE, DURABLE, DURABLE_POWER)
        }
        cases = measure_servers(DURABLE_LOAD, servers, body, effort)
        shared = {
            name: [_payloads_a_commit(server)]
            for name, server in servers.items()
            if name != INLINE.name
        }
    return [*cases, Case(COMMITS, "payloads", DURABLE.name, shared)]


def _payloads_a_commit(server: Server) -> float:
    (path,) = server.directory.glob("*.spool")
    with contextlib.closing(Spool(path, must_exist=True)) as spool:
        totals = spool.totals()
    return totals.stored / totals.commits
