"""A receiver that sends the webhook elsewhere: nobody is told there."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from test_store import frame

from edge.outbox.outbox import Outbox
from edge.outbox.store import Quota, Store
from edge.outbox.webhook import Webhook


class Receiver(BaseHTTPRequestHandler):
    """Takes what comes, or sends it to another address; remembers who came."""

    def do_POST(self):
        self.server.asked.append(self.command)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        pass


@contextmanager
def receiver(status=204, location=None):
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.asked, server.status, server.location = [], status, location
        server.url = f"http://127.0.0.1:{server.server_port}/results"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_not_taken_for_an_answer(tmp_path, status):
    outbox = Outbox(partial(Store, tmp_path, Quota(tell=True)), tmp_path)
    outbox.start()
    try:
        key = outbox.put(frame("a")).result(10).key
        outbox.change(lambda store: store.settle(key, {"predictions": []})).result(10)
        with receiver() as there, receiver(status, there.url) as here:
            asyncio.run(Webhook(outbox, here.url, None).step())
            assert (here.asked, there.asked) == (["POST"], [])
            entry = outbox.call(lambda store: store.get(key)).result(10)
            assert (entry.telling, entry.telling_attempts) == ("due", 1)
            outbox.call(lambda store: store._db.execute("UPDATE entry SET not_before = 0")).result(10)
            asyncio.run(Webhook(outbox, there.url, None).step())
            assert there.asked == ["POST"]  # it would have taken it
    finally:
        outbox.stop()
