"""Log lines in both forms."""

import io
import json
import logging
import sys
from datetime import datetime

import pytest

from edge import logs


@pytest.fixture
def written(monkeypatch):
    """Configures logging to write to memory; afterwards all is as it was."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    for name in ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing"):
        monkeypatch.setattr(logging, name, getattr(logging, name))
    stream = io.StringIO()
    yield lambda form, level="info": logs.configure(level, form, stream) or stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture
def in_a_request():
    token = logs.request_id.set("abc")
    yield
    logs.request_id.reset(token)


def test_a_json_line_holds_time_level_event_and_facts(written):
    stream = written("json")
    logging.getLogger("edge.somewhere").warning(
        "it is %s", "late", extra=logs.facts(ms=3.5, model="lilies")
    )
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "edge.somewhere",
        "event": "it is late",
        "ms": 3.5,
        "model": "lilies",
    }


def test_a_line_within_a_request_carries_its_id_in_both_forms(written, in_a_request):
    stream = written("json")
    logging.getLogger("edge").info("here")
    assert json.loads(stream.getvalue())["request_id"] == "abc"
    stream = written("console")
    logging.getLogger("edge").info("here")
    assert stream.getvalue().endswith("INFO here request_id=abc\n")


def test_a_json_line_stays_one_line_whatever_it_holds(written):
    stream = written("json")
    logging.getLogger("edge").info(
        "two\nlines %s", {"odd": b"bytes"}, extra=logs.facts(value=object())
    )
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue())["event"].startswith("two\nlines")


@pytest.mark.parametrize(("form", "lines"), [("json", range(1, 2)), ("console", range(4, 20))])
def test_a_stack_trace_is_kept(written, form, lines):
    stream = written(form)
    try:
        int("broken")
    except ValueError:
        logging.getLogger("edge").exception("it failed")
    assert "ValueError: invalid literal" in stream.getvalue()
    assert stream.getvalue().count("\n") in lines


def test_a_console_line_names_facts_and_leaves_out_empty_ones(written):
    stream = written("console")
    logging.getLogger("edge").info("request", extra=logs.facts(status=404, model=""))
    date, time, words = stream.getvalue().split(" ", 2)
    assert date == datetime.now().astimezone().date().isoformat()
    assert len(time) == len("12:34:56.789")
    assert words == "INFO request status=404\n"


def test_less_severe_lines_and_the_servers_own_news_are_left_out(written):
    stream = written("console", "warning")
    logging.getLogger("edge").info("news")
    logging.getLogger("uvicorn.error").info("Started server process")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("name", ["uvicorn.error", "asyncio"])
def test_the_servers_own_news_are_left_out_at_every_level_but_not_their_warnings(written, name):
    """At debug they would tell headers, and with them keys."""
    stream = written("console", "debug")
    logging.getLogger(name).debug("< X-API-Key: edge_secret")
    logging.getLogger(name).info("Started server process")
    assert stream.getvalue() == ""
    logging.getLogger(name).warning("it is late")
    assert "it is late" in stream.getvalue()


def test_configuring_anew_leaves_one_line_for_each(written):
    written("console")
    stream = written("json")
    logging.getLogger("edge").info("here")
    assert stream.getvalue().count("\n") == 1


def test_lines_go_to_standard_error_by_default(written, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    written("console")
    logs.configure("info", "console")
    logging.getLogger("edge").info("here")
    assert "INFO here" in stream.getvalue()
