#!/usr/bin/env python3
"""Draws the icons of the Teams app: two wheels that overlap, one for each half of the pair.

Writes color.png (192 x 192) and outline.png (32 x 32, white on transparent) beside itself.
Needs nothing but Python.
"""

import struct
import zlib
from pathlib import Path

SAMPLES = 4  # each way, per pixel


def png(path, size, pixel):
    """Writes an RGBA picture; `pixel(x, y)` says red, green, blue, alpha (0 to 1) of a point."""
    rows = bytearray()
    for y in range(size):
        rows.append(0)
        for x in range(size):
            points = [
                pixel((x + (i + 0.5) / SAMPLES) / size, (y + (j + 0.5) / SAMPLES) / size)
                for i in range(SAMPLES)
                for j in range(SAMPLES)
            ]
            alpha = sum(p[3] for p in points) / len(points)
            colour = [sum(p[c] * p[3] for p in points) / (alpha * len(points)) if alpha else 1 for c in range(3)]
            rows += bytes(round(255 * value) for value in (*colour, alpha))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def ring(x, y, centre, radius, width):
    return abs(((x - centre) ** 2 + (y - 0.5) ** 2) ** 0.5 - radius) <= width / 2


def color(x, y):
    if ring(x, y, 0.375, 0.18, 0.07):
        return (1, 1, 1, 1)
    if ring(x, y, 0.625, 0.18, 0.07):
        return (0.561, 0.878, 0.827, 1)
    return (0.082, 0.369, 0.353, 1)


def outline(x, y):
    on = ring(x, y, 0.335, 0.255, 0.1) or ring(x, y, 0.665, 0.255, 0.1)
    return (1, 1, 1, 1 if on else 0)


here = Path(__file__).parent
png(here / "color.png", 192, color)
png(here / "outline.png", 32, outline)
