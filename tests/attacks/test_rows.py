"""Damaged rows of the outbox beside thirty good ones: the good ones are sent, and all are shown.

Bounds: every good entry is resolved within a minute, which the imports of the cloud's library take
on a busy machine; `/outbox` answers 200 all the while; every damaged row is a dead letter with its
fault in `/outbox`, `/metrics` and `edge outbox list`, or counted as unreadable.
"""

import time
from pathlib import Path

import pytest
from builders.damage import break_page, damage
from builders.outbox import frame
from serving.pictures import encoded, picture
from serving.process import Server, run_edge

from edge.outbox.entry import NewEntry
from edge.outbox.store import Store
from edge.testing.vertex import ENDPOINT, FakeVertex

pytestmark = pytest.mark.slow

GOOD = 30
PATIENCE_S = 60
DAMAGE = [
    "UPDATE entry SET items = '[' WHERE sequence = 1",
    "UPDATE entry SET state = 'lost' WHERE sequence = 2",
    "UPDATE entry SET created = 1e300 WHERE sequence = 3",
    "UPDATE entry SET camera = X'ff00' WHERE sequence = 4",
    "UPDATE entry SET size = NULL, not_before = 'later' WHERE sequence = 5",
    "DELETE FROM image WHERE key = (SELECT key FROM entry WHERE sequence = 6)",
]
BROKEN = len(DAMAGE) + GOOD
"""Number of the row whose page is broken: the last."""


def filled(folder: Path) -> None:
    """An outbox of thirty-seven waiting frames, each row on a page of its own."""
    store = Store(folder)
    for number in range(len(DAMAGE) + 1 + GOOD):
        made = frame(f"{number}")
        fields = {name: getattr(made, name) for name in NewEntry.__slots__}
        fields["image"] = encoded(picture(size=(32 + number, 32)), "JPEG")
        fields["label"] = f"row-{number}-" * 600
        fields["model"] = "imagenet"
        store.put([NewEntry(**fields)])
    store.close()


def test_damaged_rows_and_a_broken_page_stop_no_good_one(tmp_path: Path) -> None:
    filled(tmp_path)
    for sql in DAMAGE:
        damage(tmp_path, sql)
    break_page(tmp_path, f"row-{BROKEN}-".encode() * 400)
    flags = {
        "cloud_endpoint": ENDPOINT,
        "cloud_credentials": "anonymous",
        "cloud_mode": "low_confidence",
        "outbox_dir": tmp_path,
    }
    with FakeVertex() as vertex, Server(cloud_address=vertex.address, **flags) as server:
        until = time.monotonic() + PATIENCE_S
        while True:
            reply = server.client.get("/outbox?limit=100")
            assert reply.status_code == 200, reply.text
            status, entries = reply.json()["status"], reply.json()["entries"]
            if status["resolved"] == GOOD or time.monotonic() > until:
                break
            time.sleep(0.2)
        metrics = server.client.get("/metrics").text
    assert (status["resolved"], status["fault"]) == (GOOD, None)
    # A row next to the broken page may be one that cannot be changed either.
    assert status["dead_letter"] + status["unreadable"] == len(DAMAGE) + 1
    dead = [entry for entry in entries if entry["state"] == "dead_letter"]
    assert len(dead) == len(DAMAGE) + 1
    assert all(entry["fault"] for entry in dead)
    for state in ("dead_letter", "unreadable"):
        assert f'edge_outbox_entries{{state="{state}"}} {status[state]}.0' in metrics
    listed = run_edge("outbox", "list", "--json", "--outbox-dir", tmp_path)
    assert (listed.returncode, listed.stdout.count('"dead_letter"')) == (0, len(dead))
