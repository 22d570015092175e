"""Fine-tunes the last convolutions of the backbone, for a time, with changed copies of pictures.

Needs TensorFlow; import this late. Pictures are not mirrored: a 2 or a left-hand part would become
something else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.runtime.tensorflow import tf  # type: ignore[attr-defined]  # hides the banner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from edge.training.float_network import FloatBackbone
    from edge.training.head import Head

    Floats = NDArray[np.float32]
    Batch = tuple[NDArray[np.uint8], Floats]
    Batches = Callable[[], Iterator[Batch]]

TAIL: Final = 7
"""Convolutions that learn: the last two blocks and the one before pooling."""

_RATE: Final = 2e-4
_MOMENTS: Final = (0.9, 0.999)
_MAX_ROUNDS: Final = 40
_PATIENCE: Final = 4
"""Rounds without a smaller loss on validation pictures, after which it ends."""

_SHIFT: Final = 12  # pixels of 224
_BRIGHTNESS: Final = 0.15  # of the range
_CONTRAST: Final = (0.8, 1.2)


class FineTuning:
    """Trains the tail of a network together with a last layer of its own.

    Args:
        network: its last variables are changed.
        head: where the last layer begins.
        weights: what each label counts, float32 [labels].
    """

    def __init__(self, network: FloatBackbone, head: Head, weights: Floats) -> None:
        self._network = network
        self._multi_label = head.multi_label
        self._weights = weights
        self._matrix = tf.Variable(head.weights.T)
        self._bias = tf.Variable(head.bias)
        tail = [*network.kernels[-TAIL:], *network.biases[-TAIL:]]
        self._learned = [*tail, self._matrix, self._bias]
        self._means = [tf.Variable(tf.zeros_like(one)) for one in self._learned]
        self._squares = [tf.Variable(tf.zeros_like(one)) for one in self._learned]
        self._steps = 0
        self._train = tf.function(self._step, reduce_retracing=True)
        self._judge = tf.function(self._loss, reduce_retracing=True)

    def run(
        self,
        training: Batches,
        validation: Batches,
        seconds: float,
        advance: Callable[[int, int], None],
    ) -> int:
        """Train until the time is up, or validation stops getting better.

        Args:
            training: batches of uint8 images [n, height, width, 3] and targets [n, labels]; one
                call is a round.
            validation: the same, of pictures that are only judged.
            advance: called with the seconds gone and all seconds.

        Returns:
            How many rounds made it better; 0 if the network is what it was.
        """
        began = time.monotonic()
        best_loss, best, better = self._mean_loss(validation), self._snapshot(), 0
        waited = 0
        for _ in range(_MAX_ROUNDS):
            for images, targets in training():
                if time.monotonic() - began >= seconds:
                    break
                self._steps += 1
                rate = _RATE * min(1.0, self._steps / 20)
                self._train(images, targets, np.float32(rate), np.float32(self._steps))
                advance(int(time.monotonic() - began), int(seconds))
            loss = self._mean_loss(validation)
            waited += 1
            if loss < best_loss:
                best_loss, best, better, waited = loss, self._snapshot(), better + 1, 0
            if waited >= _PATIENCE or time.monotonic() - began >= seconds:
                break
        for variable, value in zip(self._learned, best, strict=True):
            variable.assign(value)
        return better

    def _snapshot(self) -> list[Any]:
        return [variable.numpy() for variable in self._learned]

    def _mean_loss(self, batches: Batches) -> float:
        total, count = 0.0, 0
        for images, targets in batches():
            total += float(self._judge(self._normalised(images), targets)) * len(images)
            count += len(images)
        return total / max(count, 1)

    def _normalised(self, images: Any) -> Any:
        return (tf.cast(images, tf.float32) - self._network.mean) / self._network.std

    def _loss(self, images: Any, targets: Any) -> Any:
        logits = self._network(images) @ self._matrix + self._bias
        if self._multi_label:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
            return tf.reduce_mean(tf.reduce_sum(losses * self._weights, axis=1))
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        return tf.reduce_mean(losses * tf.linalg.matvec(targets, self._weights))

    def _step(self, images: Any, targets: Any, rate: Any, step: Any) -> None:
        """One step of Adam (Kingma and Ba 2015)."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._learned)
            loss = self._loss(self._normalised(_changed(images)), targets)
        first, second = _MOMENTS
        scale = rate * tf.sqrt(1 - second**step) / (1 - first**step)
        gradients = tape.gradient(loss, self._learned)
        rows = zip(self._learned, gradients, self._means, self._squares, strict=True)
        for variable, gradient, mean, square in rows:
            mean.assign(first * mean + (1 - first) * gradient)
            square.assign(second * square + (1 - second) * gradient * gradient)
            variable.assign_sub(scale * mean / (tf.sqrt(square) + 1e-7))


def _changed(images: Any) -> Any:
    """Copies of uint8 images, each shifted, brighter or darker, of more or less contrast."""
    values = tf.cast(images, tf.float32)
    shape = tf.shape(values)
    padded = tf.pad(values, [[0, 0], [_SHIFT, _SHIFT], [_SHIFT, _SHIFT], [0, 0]], "SYMMETRIC")
    shift = tf.random.uniform([2], 0, 2 * _SHIFT + 1, tf.int32)
    moved = tf.slice(padded, [0, shift[0], shift[1], 0], shape)
    contrast = tf.random.uniform([shape[0], 1, 1, 1], *_CONTRAST)
    brightness = tf.random.uniform([shape[0], 1, 1, 1], -_BRIGHTNESS, _BRIGHTNESS) * 255
    mean = tf.reduce_mean(moved, axis=(1, 2), keepdims=True)
    return tf.clip_by_value((moved - mean) * contrast + mean + brightness, 0, 255)
