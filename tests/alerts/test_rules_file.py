"""The file of rules: what it says becomes rules; every mistake is refused with line and remedy."""

from pathlib import Path

import pytest

from edge.alerts.rule import Rule
from edge.alerts.rules_file import MAX_RULES, parse_rules
from edge.errors import SettingsError

FILE = Path("alerts.toml")
GOOD = '[[rule]]\nname = "person"\nlabel = "Person"\n'


def test_a_rule_needs_a_name_and_a_label():
    (rule,) = parse_rules(GOOD, FILE)
    assert rule == Rule("person", "person", "Person")


def test_every_key_is_read():
    text = """
        [[rule]]
        name = "Deux personnes à la porte"
        label = "Person"
        camera = ["gate", "yard"]
        score = 0.6
        count = 2
        for_s = 5
        cooldown_s = 120.5
        silent_s = 90
        sound = false

        [[rule]]
        name = "cat"
        label = "Cat"
        camera = "gate"
    """
    first, second = parse_rules(text, FILE)
    assert first == Rule(
        name="Deux personnes à la porte",
        slug="deux_personnes_a_la_porte",
        label="Person",
        cameras=frozenset({"gate", "yard"}),
        score=0.6,
        count=2,
        for_s=5,
        cooldown_s=120.5,
        silent_s=90,
        sound=False,
    )
    assert second.cameras == {"gate"}


WRONG = {
    "not TOML": ("x =\ny = 1", r"alerts\.toml: it is not TOML: .*line 1"),
    "nothing": ("", "holds no rule"),
    "another key": ("\nrules = 1", r"line 2: rules is not known here\. The file holds tables"),
    "another table": (GOOD + "[mqtt]\nhost = 'x'", "line 4: mqtt is not known here"),
    "one table": ("[rule]\nname = 'a'", "begin each rule with"),
    "no label": (GOOD + "[[rule]]\nname = 'b'", r'line 4: rule 2 \("b"\): label is missing'),
    "an unknown key": (GOOD + "\nscor = 1", "line 5: .*scor is not a key.*mean score[?]$"),
    "a key like none": (GOOD + "\nqqq = 1", "Keys: name, label, camera, score"),
    "score above 1": (GOOD + "score = 60", "line 4: .*score: .*less than or equal to 1"),
    "score as text": (GOOD + "score = '0.5'", "line 4: .*score: .*valid number"),
    "score not a number": (GOOD + "score = nan", "line 4: .*score"),
    "count of none": (GOOD + "count = 0", "line 4: .*count: .*greater than or equal to 1"),
    "half a count": (GOOD + "count = 1.5", "line 4: .*count"),
    "negative time": (GOOD + "for_s = -1", "line 4: .*for_s"),
    "time without end": (GOOD + "cooldown_s = inf", "line 4: .*cooldown_s"),
    "no time of silence": (GOOD + "silent_s = 0", "line 4: .*silent_s"),
    "sound as text": (GOOD + "sound = 'no'", "line 4: .*sound"),
    "no camera": (GOOD + "camera = []", "line 4: .*camera"),
    "an empty camera": (GOOD + "camera = ''", "line 4: .*camera"),
    "a camera too long": (GOOD + f"camera = '{'x' * 65}'", "line 4: .*camera"),
    "same name": (GOOD + GOOD, "line 5: rule 2 .*same name as another"),
    "nearly the same name": (GOOD + GOOD.replace("person", "Person!"), "line 5: .*or nearly"),
    "a name without letters": (GOOD.replace("person", "---"), "line 2: .*no letter a to z"),
    "a name in other letters": (GOOD.replace("person", "門"), "line 2: .*it becomes a topic"),
    "a name that does not print": (GOOD.replace("person", "a\\u0007"), "does not print"),
    "too many": (
        "".join(GOOD.replace("person", f"p{n}") for n in range(MAX_RULES + 1)),
        "101 rules.*maximum is 100",
    ),
    "absurd number": (GOOD + "count = " + "9" * 5000, "is not TOML"),
    "absurd nesting": (GOOD + "count = " + "[" * 100_000, "is not TOML"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_refused_with_its_place_and_a_remedy(case):
    text, words = WRONG[case]
    with pytest.raises(SettingsError, match=f"(?is)^alerts_rules: .*{words}") as refusal:
        parse_rules(text, FILE)
    assert str(refusal.value).isprintable()
    assert refusal.value.__cause__ is None


def test_the_maximum_is_taken():
    text = "".join(GOOD.replace("person", f"p{n}") for n in range(MAX_RULES))
    assert len(parse_rules(text, FILE)) == MAX_RULES


def test_a_line_is_not_named_where_it_is_not_known_for_sure():
    text = GOOD + 'camera = """\n[[rule]]\n"""\nscore = 2\n'
    with pytest.raises(SettingsError, match=r'^alerts_rules: alerts.toml: rule 1 \("person"\)'):
        parse_rules(text, FILE)
