"""One damaged row of the outbox beside thirty good ones: the good ones are sent, and all are shown.

Bounds: every good entry is resolved within 20 s, `/outbox` answers 200, and the damaged one is a
dead letter with its fault in `/outbox`, `/metrics` and `edge outbox list`.
"""

import sqlite3
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

GOOD = 30
PATIENCE_S = 20
DAMAGE = {
    "not JSON": "UPDATE entry SET items = '[' WHERE sequence = 1",
    "an unknown state": "UPDATE entry SET state = 'lost' WHERE sequence = 1",
    "a time beyond all calendars": "UPDATE entry SET created = 1e300 WHERE sequence = 1",
    "bytes for text": "UPDATE entry SET camera = X'ff00' WHERE sequence = 1",
    "no image": "DELETE FROM image WHERE key = (SELECT key FROM entry WHERE sequence = 1)",
}


def filled(folder: Path) -> None:
    """An outbox of thirty-one waiting frames."""
    store = Store(folder)
    for number in range(GOOD + 1):
        image = encoded(picture(size=(32 + number, 32)), "JPEG")
        made = frame(f"{number}")
        fields = {name: getattr(made, name) for name in NewEntry.__slots__}
        label = f"row-{number}-" * 600  # each row has a page of its own
        store.put([NewEntry(**{**fields, "image": image, "model": "imagenet", "label": label})])
    store.close()


def forwarded(folder: Path) -> dict:
    """Start the service on the outbox; what `/outbox` and `/metrics` say once all is sent."""
    with (
        FakeVertex() as vertex,
        Server(
            cloud_endpoint=ENDPOINT,
            cloud_address=vertex.address,
            cloud_credentials="anonymous",
            cloud_mode="low_confidence",
            outbox_dir=folder,
        ) as server,
    ):
        until = time.monotonic() + PATIENCE_S
        while True:
            reply = server.client.get("/outbox?limit=100")
            assert reply.status_code == 200, reply.text
            if reply.json()["status"]["resolved"] == GOOD or time.monotonic() > until:
                return {**reply.json(), "metrics": server.client.get("/metrics").text}
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("sql", DAMAGE.values(), ids=DAMAGE)
def test_one_damaged_row_stops_no_other(tmp_path: Path, sql: str) -> None:
    filled(tmp_path)
    damage(tmp_path, sql)
    shown = forwarded(tmp_path)
    assert shown["status"]["resolved"] == GOOD
    assert shown["status"]["dead_letter"] == 1
    assert shown["status"]["fault"] is None
    (dead,) = [entry for entry in shown["entries"] if entry["state"] == "dead_letter"]
    assert dead["fault"]
    assert 'edge_outbox_entries{state="dead_letter"} 1.0' in shown["metrics"]
    listed = run_edge("outbox", "list", "--outbox-dir", tmp_path)
    assert (listed.returncode, "dead_letter" in listed.stdout) == (0, True), listed.stderr


@pytest.mark.slow
def test_a_broken_page_stops_no_row_on_another(tmp_path: Path) -> None:
    filled(tmp_path)
    break_page(tmp_path, b"row-2-" * 400)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(tmp_path / "outbox.sqlite3").execute("SELECT * FROM entry").fetchall()
    shown = forwarded(tmp_path)
    assert shown["status"]["resolved"] == GOOD
    assert shown["status"]["unreadable"] == 1
    (dead,) = [entry for entry in shown["entries"] if entry["state"] == "dead_letter"]
    assert "broken" in dead["fault"]
