"""Where Chromium is, and what its fake camera shows."""

import io
from pathlib import Path

from PIL import Image, ImageOps
from serving.process import MODELS

CHROMIUM = Path("/usr/bin/chromium")  # Debian's; Playwright's own browsers are not used
_FRAMES = 30


def clip(photo: str, folder: Path) -> Path:
    """A Motion JPEG clip for Chromium's fake camera: JPEG frames one after the other, here all of
    one photo.
    """
    picture = ImageOps.fit(
        Image.open(MODELS / "photos" / f"{photo}.jpg").convert("RGB"), (640, 480)
    )
    frame = io.BytesIO()
    picture.save(frame, "JPEG", quality=92)
    file = folder / f"{photo}.mjpeg"
    file.write_bytes(frame.getvalue() * _FRAMES)
    return file
