"""Draws the histograms of the report: small SVGs in the page's own colours and font."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

# Drawn in these, then written as the page's own colours, so that charts follow light and dark.
INK, FAINT, ACCENT, MARK = "#010101", "#020202", "#030303", "#040404"
_COLOURS = {INK: "var(--muted)", FAINT: "var(--line)", ACCENT: "var(--accent)", MARK: "var(--ink)"}


def histogram(
    title: str,
    unit: str,
    values: np.ndarray,
    mark: float | None = None,
    note: str = "",
    scale: tuple[float, float] | None = None,
) -> dict[str, Any] | None:
    """Draws a histogram, with the sentences under it; None where there are no values.

    `mark` is a value to draw a dashed line at, and `note` says what it is. `scale` is the least and
    the most that a value can be, where that is known. Few values are drawn as dots: bars of one or
    two each would pretend to a shape.
    """
    if not len(values):
        return None
    values = np.round(values, 6)  # times differ by less than that only by how they were added
    longest = float(np.percentile(values, 99))
    # A few very long ones would squeeze all others to a line.
    cut = scale is None and values.max() > 1.5 * longest
    shown = np.minimum(values, longest) if cut else values
    figure = Figure(figsize=(3.9, 1.9))
    axes = figure.add_axes((0.09, 0.17, 0.89, 0.76))
    if len(values) < 10:
        axes.scatter(shown, np.full(len(shown), 0.5), s=70, color=ACCENT, alpha=0.75, linewidth=0)
        axes.set_ylim(0, 1)
        axes.set_yticks([])
    else:
        axes.hist(shown, bins=_bins(shown, scale).tolist(), color=ACCENT, rwidth=0.9)
        axes.locator_params(axis="y", nbins=4, integer=True)
        axes.grid(axis="y", color=FAINT, linewidth=0.8)
    if mark is not None:
        axes.axvline(mark, color=MARK, linewidth=1.2, linestyle=(0, (4, 3)))
    if scale:
        axes.set_xlim(scale[0], scale[1])
        for drawn in (*axes.collections, *axes.lines):  # whole also at the ends of the scale
            drawn.set_clip_on(False)
    whole = scale is None and bool(np.all(values == np.round(values)))
    if whole and values.min() == values.max():  # one number, with its neighbours around it
        axes.set_xlim(max(values[0] - 2.5, -0.5), values[0] + 2.5)
    axes.locator_params(axis="x", nbins=7, integer=whole)
    axes.ticklabel_format(useOffset=False)
    axes.set_axisbelow(True)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9.5, length=0, pad=5)
    return {
        "title": title,
        "unit": unit,
        "says": " ".join(
            filter(
                None,
                [
                    _spread(values),
                    f"The last bar holds all above {short(longest)}." if cut else "",
                    note,
                ],
            )
        ),
        "svg": _svg(figure, salt=f"{title}, {unit}"),
    }


def _spread(values: np.ndarray) -> str:
    low, median, high = map(short, np.percentile(values, [5, 50, 95]))
    if values.min() == values.max():
        return f"One value: {median}." if len(values) == 1 else f"All {len(values):,} are {median}."
    return f"Median {median}; nine in ten from {low} to {high}."


def _bins(values: np.ndarray, scale: tuple[float, float] | None) -> np.ndarray:
    """Returns the edges of the bars: a bar per number for few whole numbers, else 24 even bars."""
    low, high = scale or (values.min(), values.max())
    if scale is None and high - low < 40 and np.all(values == np.round(values)):
        return np.arange(low - 0.5, high + 1)
    return np.linspace(low, high, 25) if high > low else np.linspace(low - 0.5, low + 0.5, 26)


def _svg(figure: Figure, salt: str) -> str:
    """Converts a figure to an SVG element for HTML, the same for the same figure.

    `salt` keeps the names inside one picture apart from those of others in the same page.
    """
    buffer = io.StringIO()
    settings = {"svg.hashsalt": salt, "svg.fonttype": "none"}  # text in the page's own font
    with matplotlib.rc_context(settings):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' id="[^"]+_\d+"', "", text)  # nothing refers to these, and pages repeat them
    for drawn, written in _COLOURS.items():
        text = text.replace(drawn, written)
    return text


def short(value: float) -> str:
    """Formats a number for a sentence: "1,204", "28", "6.8", "0.43"."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
