"""Figures with their units, in few characters: 12.3k, 3.4 MB, 5m02s."""

from __future__ import annotations


def number(value: float) -> str:
    """Return a figure in at most six characters: 999, 12.3k, 4.56M."""
    if abs(value) < 999.5:
        return f"{value:.0f}"
    for unit in ("k", "M", "G"):
        value /= 1000
        if abs(value) < 999.5:
            return f"{value:#.3g}".rstrip(".") + unit
    return f"{value / 1000:.0f}T"


def rate(value: float) -> str:
    """Return events a second; a slow trickle is not nothing: 0.5/s."""
    return f"{value:.1f}/s" if 0 < value < 9.95 else f"{number(value)}/s"


def size(size_bytes: float) -> str:
    """Return bytes in at most seven characters, in powers of 1000: 812 B, 3.4 MB, 12 GB."""
    value = max(0.0, float(size_bytes))
    if value < 999.5:
        return f"{value:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 9.95:
            return f"{value:.1f} {unit}"
        if value < 999.5:
            return f"{value:.0f} {unit}"
    return f"{value:.0f} TB"


def span(seconds: float) -> str:
    """Return a length of time in a few characters: 0.2s, 59s, 5m02s, 3h04m, 2d03h."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    for size_s, unit, smaller_s, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size_s:
            return f"{whole // size_s}{unit}{whole % size_s // smaller_s:02d}{smaller}"
    return f"{whole}s"


def brief(seconds: float) -> str:
    """Return a length of time that may be short: 5 ms, 0.25 s becomes 250 ms; from a second on as `span` does."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else span(seconds)
