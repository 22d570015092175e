"""An open outbox, and the owner's server that is told of results."""

from __future__ import annotations

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from builders.outbox import Clocks

from edge.clock import SteadyClock
from edge.outbox.outbox import Outbox
from edge.outbox.store import Quota, Store


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def open_store(tmp_path, clocks):
    opened = []

    def open_(quota=None, seal=None, **how):
        store = Store(tmp_path, quota, seal, clock=how.pop("clock", SteadyClock(read=clocks)), **how)
        opened.append(store)
        return store

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def outbox(tmp_path):
    one = Outbox(partial(Store, tmp_path, Quota(tell=True)), tmp_path)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def receiver():
    """Answers 204, or as `statuses` says in turn; an event there is waited for first. Redirects lead to itself."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.server.posts.append((dict(self.headers), body))
            status = self.server.statuses.pop(0) if self.server.statuses else 204
            if isinstance(status, threading.Event):
                status.wait(30)
                status = 204
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.posts, server.statuses = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/results"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def timed(tmp_path, clocks):
    """An outbox whose clocks are set by hand."""
    one = Outbox(partial(Store, tmp_path, Quota(tell=True), clock=SteadyClock(read=clocks)), tmp_path)
    one.start()
    yield one
    one.stop()
