"""What the plots of evidence share: their frame as SVG, texts, and pages of several as a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol
from xml.sax.saxutils import escape, quoteattr

from perovshell.optional import import_optional

INK: Final = "#1b1b1b"
GRID: Final = "#d8d8d8"
_FONT: Final = "DejaVu Sans"
_FOREIGN: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Picture(Protocol):
    """A plot."""

    @property
    def width(self) -> int:
        """Width in pixels."""

    @property
    def height(self) -> int:
        """Height in pixels."""

    def svg(self) -> str:
        """Return the plot as a file."""


def as_svg(title: str, width: int, height: int, elements: Iterable[str]) -> str:
    """Return a plot of some elements as a file, on white."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label={quoteattr(_plain(title))}>'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    parts = [head, tooltip(title), ground, *elements, "</svg>"]
    return "\n".join(parts) + "\n"


def text_at(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", size: int = 12
) -> str:
    """Return a text as an element."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'font-size="{size}">{_escaped(text)}</text>'
    )


def tooltip(text: str) -> str:
    """Return the element that tells what the element around it shows."""
    return f"<title>{_escaped(text)}</title>"


def _escaped(text: str) -> str:
    return escape(_plain(text))


def _plain(text: str) -> str:
    """Return a text with a mark for each character that no XML file may hold."""
    return _FOREIGN.sub("\ufffd", text)


def svg_page(plots: Sequence[Picture]) -> str:
    """Return plots one below the other as one SVG file."""
    height, parts = 0, []
    for plot in plots:
        parts.append(plot.svg().replace("<svg ", f'<svg y="{height}" ', 1))
        height += plot.height
    width = max(plot.width for plot in plots)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">'
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def png_page(plots: Sequence[Picture]) -> bytes:
    """Return plots one below the other as a PNG file of twice the resolution.

    Raises:
        MissingExtraError: resvg or matplotlib, whose font it is written in, is not installed.
    """
    resvg = import_optional("resvg_py", "a PNG", "train")
    matplotlib = import_optional("matplotlib", "a PNG", "train")
    picture = resvg.svg_to_bytes(
        svg_string=svg_page(plots),
        zoom=2,
        skip_system_fonts=True,
        font_dirs=[str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")],
        sans_serif_family=_FONT,
    )
    return bytes(picture)
