"""A receiver of webhooks that answers as a test says."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(self.command)
        self.server.posts.append((dict(self.headers), body))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if isinstance(status, threading.Event):
            status.wait(30)
            status = 204
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        pass


@contextmanager
def running_receiver(path, location="/elsewhere"):
    """A server whose `url` ends in the path.

    It remembers headers and bodies in `posts`, and methods in `asked`.

    It answers each request with the next of `statuses`, then with 204, and waits for an event in
    `statuses` before it answers. Redirects lead to the location: by
    default back to itself.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.posts, server.asked, server.statuses = [], [], []
        server.location = location
        server.url = f"http://127.0.0.1:{server.server_port}{path}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
