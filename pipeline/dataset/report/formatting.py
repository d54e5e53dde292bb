"""Numbers, times and paths of the report, as people read them and as browsers take them."""

from __future__ import annotations

from urllib.parse import quote


def url(path: str) -> str:
    """Converts a path inside the dataset folder to a relative URL, whatever is in its names."""
    return quote(path.lstrip("/"))


def clock(seconds: float) -> str:
    """Formats a moment in a film: 754.25 is "12:34.2", and with hours "1:02:03.4"."""
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def span(seconds: float) -> str:
    """Formats a length of time: "0.4 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def size(count: float) -> str:
    """Formats a number of bytes: "812 bytes", "1.2 MB"."""
    if count < 1000:
        return f"{count:,.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:,.1f} TB"
