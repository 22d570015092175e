"""Fine-tunes the last convolutions of the backbone, for a time, with changed copies of pictures.

Needs TensorFlow; import this late. Pictures are not mirrored: a 2 or a left-hand part would become
something else.
"""

from __future__ import annotations

import math
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.runtime.tensorflow import tf  # type: ignore[attr-defined]  # hides the banner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
_WARM_UP: Final = 20  # steps

_ROUND_STEPS: Final = 100
"""Steps between two looks at the validation pictures; fewer if these are all pictures."""

_SLOW_DOWN: Final = 2
"""Rounds without a smaller loss on validation pictures, after which smaller steps are made."""

_SLOWER: Final = 0.3
_PATIENCE: Final = 6
"""Rounds without a smaller loss, after which it ends."""

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
        waited, judging_s, rate = 0, 0.0, _RATE
        while waited < _PATIENCE:
            stop = began + seconds - judging_s
            for images, targets in islice(training(), _ROUND_STEPS):
                now = time.monotonic()
                if now >= stop:
                    break
                self._steps += 1
                warm = min(1.0, self._steps / _WARM_UP)
                late = math.cos(math.pi / 2 * (now - began) / seconds)
                step_rate = np.float32(rate * warm * late)
                self._train(images, targets, step_rate, np.float32(self._steps))
                advance(int(now - began), int(seconds))
            judged_at = time.monotonic()
            loss = self._mean_loss(validation)
            judging_s = time.monotonic() - judged_at
            waited += 1
            if loss < best_loss:
                best_loss, best, better, waited = loss, self._snapshot(), better + 1, 0
            if time.monotonic() + judging_s >= began + seconds:
                break
            if waited and waited % _SLOW_DOWN == 0:
                rate *= _SLOWER
                self._restore(best)
        self._restore(best)
        return better

    def weights(self) -> list[tuple[Floats, Floats]]:
        """Kernel and bias of each convolution that learned, in the order in which they run."""
        pairs = zip(self._network.kernels[-TAIL:], self._network.biases[-TAIL:], strict=True)
        return [(kernel.numpy(), bias.numpy()) for kernel, bias in pairs]

    def ranges(
        self, batches: Iterable[NDArray[np.uint8]], tensors: Sequence[int]
    ) -> dict[int, tuple[float, float]]:
        """The lowest and the highest value of some tensors of the network in all pictures."""

        def observe(images: Any) -> Any:
            values = self._network.tensors(self._normalised(images))
            return [(tf.reduce_min(values[one]), tf.reduce_max(values[one])) for one in tensors]

        observed = tf.function(observe, reduce_retracing=True)
        ranges = dict.fromkeys(tensors, (np.inf, -np.inf))
        for images in batches:
            for tensor, (low, high) in zip(tensors, observed(images), strict=True):
                lowest, highest = ranges[tensor]
                ranges[tensor] = min(lowest, float(low)), max(highest, float(high))
        return ranges

    def _snapshot(self) -> list[Any]:
        return [variable.numpy() for variable in self._learned]

    def _restore(self, values: list[Any]) -> None:
        for variable, value in zip(self._learned, values, strict=True):
            variable.assign(value)

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
