"""`edge serve` with a tiny model that takes its time: a program for `serving.process.Server`.

The time passes in sleep, so that the figures depend little on the machine and on what else it does.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from builders.odd_models import LABELS
from builders.tflite import classifier

from edge.cli import main
from edge.repository.version import ModelVersion

FRAME_S = 0.02

_predict = ModelVersion.predict


def _predict_slowly(self, *arguments):
    time.sleep(FRAME_S)
    return _predict(self, *arguments)


ModelVersion.predict = _predict_slowly

with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "slow.tflite").write_bytes(classifier())
    (Path(folder) / "dict.txt").write_text("\n".join(LABELS))
    sys.argv += ["--models", folder]
    main()
