"""The per-frame pipeline with an interpreter that returns what a test wants."""

import numpy as np
import pytest
from builders.images import encode, quadrants

from edge.errors import CorruptImage, InferenceFailed
from edge.model.contract import (
    Contract,
    EncodedInput,
    Format,
    PixelInput,
    Quantization,
    SignatureInfo,
    TensorOutput,
    Tuning,
)
from edge.model.tasks.classification import CLASSIFICATION
from edge.runtime.interpreter import IMAGE
from edge.runtime.interpreter_pool import InterpreterPool
from edge.runtime.pipeline import DecodeOptions, EncodedPipeline, PixelPipeline

OPTIONS = DecodeOptions(1_000_000)
LABELS = ("cat", "dog")


class Fake:
    """An interpreter that notes its inputs and answers from a list."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.images = []

    def invoke(self, inputs):
        self.images.append(inputs[IMAGE])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def pixel_pipeline(*interpreters, side=4):
    pixels = PixelInput("image", 0, "uint8", side, side)
    scores = TensorOutput("scores", 1, "uint8", Quantization(0.5, 1))
    contract = Contract(
        Format.TFLITE, CLASSIFICATION, pixels, LABELS, False, {"scores": scores}, Tuning()
    )
    return PixelPipeline(contract, InterpreterPool(interpreters))


def encoded_pipeline(*interpreters):
    image = EncodedInput("serving_default", "image_bytes", None)
    signature = SignatureInfo({}, {}, "predict")
    contract = Contract(
        Format.SAVED_MODEL, CLASSIFICATION, image, LABELS, False, {}, Tuning(), signature
    )
    return EncodedPipeline(contract, InterpreterPool(interpreters))


def stored_scores():
    return {"scores": np.array([[1, 3]], np.uint8)}


def real_scores():
    return {"scores": np.array([[0.25, 0.75]], np.float32)}


def test_a_frame_of_pixels_goes_in_as_a_batch_of_one_and_comes_out_dequantised():
    fake = Fake(stored_scores())
    result = pixel_pipeline(fake).run(0, encode(quadrants(), "PNG"), OPTIONS)
    assert fake.images[0].shape == (1, 4, 4, 3)
    assert fake.images[0].dtype == np.uint8
    assert result.prediction.labels == LABELS
    assert result.prediction.scores.tolist() == [0.0, 1.0]
    assert (result.width, result.height) == quadrants().size


def test_raw_outputs_are_handed_out_for_a_signature_only():
    photo = encode(quadrants(), "PNG")
    assert pixel_pipeline(Fake(stored_scores())).run(0, photo, OPTIONS).outputs is None
    outputs = real_scores()
    assert encoded_pipeline(Fake(outputs)).run(0, photo, OPTIONS).outputs is outputs


def test_every_stage_that_was_run_has_a_time():
    photo = encode(quadrants(), "PNG")
    pixels = pixel_pipeline(Fake(stored_scores())).run(0, photo, OPTIONS).stages
    assert min(pixels.decode, pixels.preprocess, pixels.infer, pixels.postprocess) > 0
    graph = encoded_pipeline(Fake(real_scores())).run(0, photo, OPTIONS).stages
    assert min(graph.decode, graph.infer, graph.postprocess) > 0
    assert graph.preprocess == 0, "the graph resizes by itself, which counts as inference"


@pytest.mark.parametrize("make", [pixel_pipeline, encoded_pipeline])
def test_a_worker_uses_the_interpreter_that_it_had_last(make):
    fakes = [Fake(*[{**stored_scores(), **real_scores()}] * 2) for _ in range(2)]
    pipeline = make(*fakes)
    for _ in range(2):
        pipeline.run(1, encode(quadrants(), "PNG"), OPTIONS)
    assert sorted(len(fake.images) for fake in fakes) == [0, 2]


def test_computing_returns_what_reading_needs_and_leaves_reading_out():
    pipeline = pixel_pipeline(Fake(stored_scores()))
    computed = pipeline.compute(0, encode(quadrants(), "PNG"), OPTIONS)
    assert computed.outputs["scores"].tolist() == [[1, 3]]
    assert computed.stages.postprocess == 0
    assert pipeline.read(computed).scores.tolist() == [0.0, 1.0]


def test_a_jpeg_is_decoded_at_the_scale_that_the_model_needs_unless_exact():
    photo = encode(quadrants().resize((512, 512)), "JPEG")
    fast, exact = Fake(stored_scores()), Fake(stored_scores())
    pixel_pipeline(fast, side=64).run(0, photo, OPTIONS)
    result = pixel_pipeline(exact, side=64).run(0, photo, DecodeOptions(1_000_000, exact=True))
    assert (result.width, result.height) == (512, 512)
    assert fast.images[0].tolist() != exact.images[0].tolist()


def test_an_image_that_the_graph_cannot_read_is_sent_again_as_png():
    fake = Fake(CorruptImage("arithmetic coding"), real_scores())
    photo = encode(quadrants(), "JPEG")
    result = encoded_pipeline(fake).run(0, photo, OPTIONS)
    assert fake.images[0].tolist() == [photo]
    assert fake.images[1][0].startswith(b"\x89PNG")
    assert (result.width, result.height) == quadrants().size


def test_an_image_that_the_graph_cannot_read_twice_is_at_fault():
    fake = Fake(CorruptImage("one"), CorruptImage("two"))
    with pytest.raises(CorruptImage, match="two"):
        encoded_pipeline(fake).run(0, encode(quadrants(), "JPEG"), OPTIONS)


def test_a_model_that_fails_is_not_asked_again():
    fake = Fake(InferenceFailed("broken"))
    with pytest.raises(InferenceFailed):
        encoded_pipeline(fake).run(0, encode(quadrants(), "JPEG"), OPTIONS)
    assert len(fake.images) == 1
