"""QR codes: as SVG for pages, as block characters for a terminal."""

from __future__ import annotations

import io

from starlette.responses import Response

# segno is imported where it is used, because most runs do not need it.


def qr_svg(text: str) -> Response:
    """The code in dark on white with the quiet zone that scanners need, whatever the theme."""
    import segno  # noqa: PLC0415 -- see above

    file = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        file,
        kind="svg",
        scale=1,
        border=4,
        dark="#000",
        light="#fff",
        xmldecl=False,
        omitsize=True,
        title=text,
    )
    return Response(
        file.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"}
    )


def qr_terminal(text: str) -> str:
    """The code in block characters."""
    import segno  # noqa: PLC0415 -- see above

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, compact=True)
    return out.getvalue()
