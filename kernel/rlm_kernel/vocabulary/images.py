"""Images for sub-calls as data URLs: bytes, paths, and whatever can show itself as a PNG (PIL's images do)."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

__all__ = ["data_url", "data_urls"]

_BEGINNINGS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


def data_urls(images: Any) -> list[str]:
    """Return the data URLs of one image or of several; `TypeError` if one is no image."""
    return [data_url(image) for image in (images if isinstance(images, list | tuple) else [images])]


def data_url(image: Any) -> str:
    """Return the data URL of an image.

    Args:
        image: bytes of a PNG, JPEG, GIF or WebP file, the path of one, an object with `_repr_png_`, or a URL.

    Raises:
        TypeError: it is none of these.

    """
    if isinstance(image, str) and image.startswith(("data:image/", "https://", "http://")):
        return image
    data = _data_of(image)
    for beginning, kind in _BEGINNINGS.items():
        if data.startswith(beginning):
            return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    raise TypeError("an image is a PNG, JPEG, GIF or WebP file: its bytes, its Path, or an object of PIL")


def _data_of(image: Any) -> bytes:
    if isinstance(image, Path):
        return image.read_bytes()
    if callable(getattr(image, "_repr_png_", None)):
        shown = image._repr_png_()
        return shown if isinstance(shown, bytes) else b""
    return bytes(image) if isinstance(image, bytes | bytearray | memoryview) else b""
