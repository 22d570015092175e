"""`edge predict` and `edge inspect`: what a person sees, what a program reads, and how it ends."""

import json
import subprocess
import sys
import textwrap

import pytest
from builders.images import encode, noise, quadrants, turned
from builders.tflite import TINY_LABELS, tiny_export
from click.testing import CliRunner
from PIL import Image

from edge.cli import main
from edge.outbox.store import Store
from edge.settings import TOPICS


def edge(*arguments, **environment):
    return CliRunner().invoke(
        main, list(map(str, arguments)), env=environment, catch_exceptions=False
    )


def in_a_process(root, *arguments):
    command = [sys.executable, "-m", "edge", *map(str, arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def export(tmp_path):
    return tiny_export(tmp_path)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(turned(6, "JPEG"))
    (folder / "b.PNG").write_bytes(encode(quadrants(), "PNG"))
    (folder / "below/c.webp").write_bytes(encode(noise(9, 9), "WEBP"))
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def shipped(repository_root):
    return repository_root / "models/photos"


@pytest.mark.parametrize(
    ("photo", "model", "label"),
    [
        ("coffee.jpg", "imagenet", "espresso"),
        ("chelsea.jpg", "imagenet", "cat"),
        ("chelsea.jpg", "objects", "Cat"),
        ("astronaut.jpg", "objects", "Person"),
    ],
)
def test_the_embedded_models_know_the_shipped_photos(shipped, photo, model, label):
    done = edge("predict", shipped / photo, "--model", model, "--json")
    assert done.exit_code == 0
    assert any(label in item["label"] for item in json.loads(done.stdout)["predictions"][:3])


def test_nothing_but_an_image_is_needed(shipped, repository_root):
    done = in_a_process(repository_root, "predict", shipped / "coffee.jpg")
    assert done.returncode == 0
    assert "espresso" in done.stdout
    assert all(
        line.startswith("INFO: Created TensorFlow Lite") for line in done.stderr.splitlines()
    ), "LiteRT's own"


def test_a_json_line_an_image_in_the_order_they_were_named(export, photos):
    names = [photos / "b.PNG", photos / "a.jpg", photos / "b.PNG"]
    done = edge("predict", *names, "--model", export, "--json", "--top-k", 2)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["file"] for answer in answers] == list(map(str, names))
    assert all(len(answer["predictions"]) == 2 for answer in answers)
    assert answers[1]["image"] == {"width": 64, "height": 48}
    assert answers[0]["predictions"] == answers[2]["predictions"]


def test_folders_with_what_lies_below_and_patterns_are_images_too(export, photos):
    def files(*names):
        done = edge("predict", *names, "--model", export, "--json")
        return [
            json.loads(line)["file"].removeprefix(f"{photos}/") for line in done.stdout.splitlines()
        ]

    assert files(photos) == ["a.jpg", "b.PNG", "below/c.webp"]
    assert files(photos / "*.jpg") == ["a.jpg"]
    assert files(photos / "**/*.webp") == ["below/c.webp"]
    assert files(photos / "*.jpg", photos / "b.PNG") == ["a.jpg", "b.PNG"]


def test_a_pipe_gets_the_whole_name_and_the_words_with_tabs_between(export, photos):
    done = edge("predict", photos / "a.jpg", "--model", export, "--top-k", 1)
    assert done.exit_code == 0
    file, status, words = done.stdout.removesuffix("\n").split("\t")
    assert (file, status) == (str(photos / "a.jpg"), "certain")
    assert words.startswith("label ")


def test_a_threshold_that_nothing_reaches_is_said_to_be_so(export, photos):
    done = edge("predict", photos / "a.jpg", "--model", export, "--threshold", 1)
    assert "\tnothing over 1.00; best: label " in done.stdout
    as_json = edge("predict", photos / "a.jpg", "--model", export, "--threshold", 1, "--json")
    assert json.loads(as_json.stdout)["predictions"] == []


def test_a_broken_image_is_its_own_line_and_the_others_are_answered(export, photos):
    (photos / "b.PNG").write_bytes(encode(quadrants(), "PNG")[:60])
    done = edge("predict", photos, "--model", export, "--json")
    assert done.exit_code == 1
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert second["error"]["code"] == "corrupt_image"
    assert first["predictions"]
    assert third["predictions"]
    assert "truncated" in edge("predict", photos / "b.PNG", "--model", export).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "gone.jpg"], "No image is at gone.jpg"),
        (
            ["predict", "{photos}/a.jpg", "--model", "other", "--models", "{export}"],
            "There is no model 'other'",
        ),
        (["predict", "{photos}/a.jpg", "--model", "{photos}"], "photos holds no export"),
        (["predict", "{photos}/a.jpg", "--workers", "0"], "--workers = 0"),
        (["predict", "{photos}/a.jpg", "--config", "gone.toml"], "gone.toml does not exist"),
        (["inspect", "gone"], "no such file or folder"),
        (["inspect", "{photos}"], "no model is in it"),
        (["inspect", "{photos}/notes.txt"], "not a TFLite file"),
        (["inspect", "{photos}/a.jpg"], "a JPEG picture, not a model"),
        (["predict", "{photos}/a.jpg", "--model", "{photos}/b.PNG"], "a PNG picture"),
        (["serve", "--models", "{photos}/a.jpg"], "a JPEG picture, not a model"),
        (["predict", "-", "-"], "name it once"),
        (["predict", "{photos}/a.jpg", "--json", "--csv", "-"], "Only one of"),
        (["predict", "{photos}/a.jpg", "--model", "{export}", "--csv", "{photos}"], "be written"),
        (
            ["predict", "{photos}/a.jpg", "--model", "{export}", "--draw", "{photos}/a.jpg"],
            "is the image itself",
        ),
    ],
)
def test_what_cannot_be_done_at_all_is_one_line_on_stderr_and_exit_2(
    arguments, words, export, photos
):
    done = edge(*(argument.format(photos=photos, export=export) for argument in arguments))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.startswith("edge: ")
    assert "Traceback" not in done.stderr


UNREADABLE = "/proc/self/mem"
"""A file that is there and cannot be read, whoever runs the tests."""


def test_an_image_that_cannot_be_read_is_not_called_corrupt(export, photos):
    done = edge("predict", UNREADABLE, photos / "a.jpg", "--model", export, "--json")
    assert done.exit_code == 1
    unreadable, answered = map(json.loads, done.stdout.splitlines())
    assert unreadable["error"]["code"] == "unreadable_file"
    assert UNREADABLE in unreadable["error"]["message"]
    assert answered["predictions"]


@pytest.mark.parametrize("below", ["drawn.png", "folder"])
def test_pictures_that_cannot_be_written_are_one_line_and_exit_2(below, export, photos):
    done = edge(
        "predict", photos / "a.jpg", "--model", export, "--draw", photos / "notes.txt" / below
    )
    assert done.exit_code == 2
    assert "cannot be written to" in done.stderr
    assert done.stderr.startswith("edge: ")
    assert "Traceback" not in done.stderr


@pytest.fixture
def outbox(tmp_path):
    folder = tmp_path / "outbox"
    Store(folder).close()
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "abc"], "no entry abc"),
        (["purge"], "name entries"),
        (["export", "{photos}/notes.txt/training"], "cannot be written to"),
    ],
)
def test_an_outbox_command_that_cannot_be_done_is_one_line_and_exit_2(
    arguments, words, outbox, photos
):
    done = edge(
        "outbox",
        *(argument.format(photos=photos) for argument in arguments),
        "--outbox-dir",
        outbox,
    )
    assert done.exit_code == 2
    assert done.stderr.startswith("edge: ")
    assert words in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--top-k", "0"], ["--threshold", "2"], ["--threshold", "x"], ["--unknown"]]
)
def test_a_wrong_option_is_exit_2_with_its_name(arguments, photos):
    done = edge("predict", photos / "a.jpg", *arguments)
    assert done.exit_code == 2
    assert arguments[0] in done.stderr


def test_limits_are_settings_of_the_command_too(export, photos):
    done = edge("predict", photos / "a.jpg", "--model", export, "--json", "--max-pixels", 100)
    assert json.loads(done.stdout)["error"]["code"] == "image_too_large"
    by_environment = edge(
        "predict", photos / "a.jpg", "--json", EDGE_MAX_PIXELS="100", EDGE_MODELS=str(export)
    )
    assert json.loads(by_environment.stdout)["error"]["code"] == "image_too_large"


def test_a_picture_is_drawn_into_the_file_named(shipped, tmp_path):
    out = tmp_path / "drawn.png"
    assert (
        edge("predict", shipped / "astronaut.jpg", "--model", "objects", "--draw", out).exit_code
        == 0
    )
    with Image.open(out) as drawn, Image.open(shipped / "astronaut.jpg") as photo:
        assert drawn.size == photo.size
        assert drawn.tobytes() != photo.convert("RGB").tobytes()


def test_several_pictures_are_drawn_into_a_folder_none_over_another(export, photos, tmp_path):
    (photos / "below/a.png").write_bytes(encode(quadrants(), "PNG"))
    assert edge("predict", photos, "--model", export, "--draw", tmp_path / "out").exit_code == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "a-2.jpg",
        "a.jpg",
        "b.jpg",
        "c.jpg",
    ]


def test_inspect_tells_a_person_what_the_export_is_and_where_each_fact_was_read(export):
    words = " ".join(edge("inspect", export).stdout.split())
    for fact in (
        "classification",
        "SOFTMAX",
        "uint8 [1, 2, 2, 3]",
        "label 0",
        "dict.txt",
        "stretched",
        "bilinear",
    ):
        assert fact in words


def test_inspect_tells_a_program_the_same(export):
    (export / "model.toml").write_text(
        'display_name = "Tiny"\nresize = "center_crop"\ncrop_fraction = 0.5\ntop_k = 2'
    )
    told = json.loads(edge("inspect", export, "--json").stdout)
    assert (told["task"], told["format"], told["multi_label"]) == (
        "classification",
        "tflite",
        False,
    )
    assert told["family"] == "AutoML TFLite"
    assert told["labels"] == TINY_LABELS
    assert told["input"] == {"name": "image", "dtype": "uint8", "shape": [1, 2, 2, 3]}
    assert told["preprocessing"]["resize"] == "center_crop"
    assert told["preprocessing"]["crop_fraction"] == 0.5
    assert (told["preprocessing"]["channel_order"], told["preprocessing"]["layout"]) == (
        "rgb",
        "nhwc",
    )
    assert (told["display_name"], told["top_k"]) == ("Tiny", 2)
    assert told["origins"]["labels"] == "dict.txt"
    assert len(told["digest"]) == 64


def test_inspect_takes_the_name_of_a_model_as_predict_does(export):
    assert json.loads(edge("inspect", "objects", "--json").stdout)["task"] == "detection"
    named = edge("inspect", export.name, "--json", "--models", export)
    assert json.loads(named.stdout)["labels"] == TINY_LABELS


@pytest.mark.parametrize(
    "folder", ["flowers", "flowers-embedded-labels", "sunflowers-multilabel", "drugs-detection"]
)
def test_inspect_runs_every_real_export(shared_exports, folder):
    assert json.loads(edge("inspect", shared_exports / folder, "--json").stdout)["labels"]


@pytest.mark.parametrize("folder", ["traffic-edgetpu", "traffic-video"])
def test_inspect_refuses_in_a_process_of_its_own_without_a_stack_trace(
    shared_exports, repository_root, folder
):
    done = in_a_process(repository_root, "inspect", shared_exports / folder)
    assert done.returncode == 2
    assert done.stderr.startswith("edge: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_and_version_are_there():
    assert "predict" in edge("--help").stdout
    assert "EDGE_" in edge("serve", "--help").stdout
    assert edge("--version").stdout.startswith("edge")


def test_help_lists_the_settings_of_serve_by_topic():
    words = edge("serve", "--help").stdout
    places = [words.index(f"\n{topic}:\n") for topic in (*TOPICS, "Options")]
    assert places == sorted(places)
    for (topic, names), end in zip(TOPICS.items(), places[1:], strict=True):
        section = words[words.index(f"\n{topic}:\n") : end]
        assert all(f"  --{name.replace('_', '-')} " in section for name in names)
    assert "--config" in words[places[-1] :]


def test_a_command_imports_neither_tensorflow_nor_the_cloud(repository_root, shipped):
    script = """
        import atexit, sys
        heavy = ("tensorflow", "google.cloud.aiplatform")
        atexit.register(lambda: print([name for name in heavy if name in sys.modules]))
        from edge.cli import main
        main(["predict", sys.argv[1], "--json"])
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(shipped / "coffee.jpg")]
    done = subprocess.run(command, cwd=repository_root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "--threshold", "nan", "x.jpg"),
        ("predict", "--threshold", "inf", "x.jpg"),
        ("bench", "--seconds", "inf"),
        ("bench", "--seconds", "nan"),
        ("outbox", "list", "--limit", "9" * 30),
        ("outbox", "list", "--limit", "9" * 5_000),
        ("outbox", "export", "x", "--threshold", "nan"),
    ],
)
def test_a_number_that_means_nothing_is_refused_in_words(arguments):
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, "Invalid value" in done.output) == (2, True), done.output
