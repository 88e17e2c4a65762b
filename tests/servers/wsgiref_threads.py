"""Runs an app on a port by the standard library: each request in a thread of its own."""

import importlib
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    app = getattr(importlib.import_module(module), name)
    with make_server(
        "127.0.0.1", int(sys.argv[2]), app, server_class=_Server, handler_class=_Handler
    ) as server:
        server.serve_forever()
