"""What does not print is escaped, and what people write in any language stays as it is."""

import json

import pytest

from edge.printable import (
    escape,
    escape_json,
    escape_lines,
    first_unprintable,
    printable_json,
)

COMMANDS = [
    *("\x00", "\x07", "\x1b", "\x7f"),  # C0 and DEL
    *("\x80", "\x9b", "\x9d"),  # C1: CSI and OSC in one character
    *("\u202e", "\u2066", "\u200e", "\u200b", "\ufeff"),  # bidi overrides, and what is invisible
    *("\u2028", "\u2029", "\x85", "\n", "\r"),  # line separators
    *("\ud800", "\ue000", "\U000e0041", "\U0010ffff"),  # surrogates, private use, tags, unassigned
]


@pytest.mark.parametrize("command", COMMANDS, ids=ascii)
def test_a_character_that_does_not_print_is_escaped_wherever_it_stands(command):
    text = f"a{command}]52;c;ZXZpbA=={command}b"
    for escaped in (escape(text), escape_json(json.dumps(text, ensure_ascii=False))):
        assert escaped.isprintable()
        assert escaped.isascii()
    assert escape(text) == f"a{ascii(command)[1:-1]}]52;c;ZXZpbA=={ascii(command)[1:-1]}b"
    assert json.loads(printable_json({"camera": text})) == {"camera": text}
    assert first_unprintable(text) == (1, f"U+{ord(command):04X}")


@pytest.mark.parametrize("text", ["", "door 1", "Tür", "カメラ", "कैमरा", "📷", "\\x1b", '"a"'])
def test_what_people_write_stays_as_it_is(text):
    assert (escape(text), escape_lines(text)) == (text, text)
    assert printable_json(text) == json.dumps(text, ensure_ascii=False)
    assert first_unprintable(text) is None


def test_a_text_of_several_lines_keeps_them_only_where_they_are_wanted():
    assert escape_lines("one\ntwo\x1b") == "one\ntwo\\x1b"
    assert escape("one\ntwo") == "one\\ntwo"
    assert printable_json({"a": 1}, indent=2) == '{\n  "a": 1\n}'
