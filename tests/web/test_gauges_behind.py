"""Each gauge of what stands behind the edge tells the number that it names, and no other."""

from builders.odd_models import odd_repository
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edge.bootstrap import build_service
from edge.outbox.entry import State
from edge.service import InferenceService
from edge.settings import Settings
from edge.web.metrics import Metrics

LINK = {"state": "up", "budget": {"calls_today": 2, "cost_today": 3, "calls_this_month": 5}}
SHADOW = {"compared": 13, "agreed": 11}
OUTBOX = {"fault": None, "bytes": 17, "queued_bytes": 19, "write_s": 23} | {
    state.value: 100 + number for number, state in enumerate(State)
}


class Behind(InferenceService):
    def status(self):
        return self.told


def told(folder, status):
    edge = build_service(Settings(workers=1), odd_repository(folder))
    service = Behind(edge.repository, edge.pool, edge.decoding, max_held_bytes=29)
    service.told = status
    text = generate_latest(Metrics(service).registry).decode()
    edge.pool.close()
    return {
        (sample.name.removeprefix("edge_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_link_and_the_outbox_are_told_number_by_number(tmp_path):
    seen = told(tmp_path, {"link": LINK, "shadow": SHADOW, "outbox": OUTBOX})
    expected = {
        "link_up": 1, "cloud_calls_today": 2, "cloud_cost_today": 3, "cloud_calls_this_month": 5,
        "shadow_compared_total": 13, "shadow_agreed_total": 11,
        "outbox_fault": 0, "outbox_bytes": 17, "outbox_queued_bytes": 19, "outbox_write_seconds": 23,
        "held_bytes_limit": 29,
    }  # fmt: skip
    assert {name: seen[(name,)] for name in expected} == expected
    assert {state: seen["outbox_entries", state] for state in State} == {state: OUTBOX[state] for state in State}


def test_a_link_that_is_down_and_an_outbox_at_fault_are_told(tmp_path):
    link, outbox = LINK | {"state": "down"}, {"fault": "disk full", "queued_bytes": 0, "write_s": 0}
    seen = told(tmp_path, {"link": link, "shadow": SHADOW, "outbox": outbox})
    assert (seen[("link_up",)], seen[("outbox_fault",)], seen[("outbox_bytes",)]) == (0, 1, 0)


def test_an_edge_alone_tells_nothing_of_them(tmp_path):
    seen = told(tmp_path, {"link": None, "shadow": SHADOW, "outbox": None})
    assert not [name for name, *_ in seen if name.startswith(("link", "cloud", "shadow", "outbox"))]
