#!/usr/bin/env python3
"""Makes the encoded pictures beside this file: one small scene in kinds of files that the tests cannot write themselves.

Needs Pillow (13.0.0 wrote the committed files). All show the scene of scene.png.
usage: python3 core/tests/frame_fixtures/make_fixtures.py
"""

import pathlib
import struct
import zlib

from PIL import Image, ImageDraw

FOLDER = pathlib.Path(__file__).resolve().parent
WIDTH, HEIGHT = 93, 77
# Adam7: first column, first row, column step, row step of each pass.
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def scene() -> Image.Image:
    """Smooth colour with a few edges, odd sides."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    picture.putdata([(40 + x * 2, 60 + y * 2, 200 - x - y) for y in range(HEIGHT) for x in range(WIDTH)])
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 15, 60, 65), fill=(210, 160, 130))
    draw.rectangle((70, 50, 85, 70), fill=(20, 20, 90))
    return picture


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def interlaced_png(picture: Image.Image) -> bytes:
    """Pillow writes no interlaced PNG; without filters it is a few lines."""
    rows = bytearray()
    for first_x, first_y, step_x, step_y in PASSES:
        for y in range(first_y, HEIGHT, step_y):
            rows.append(0)
            for x in range(first_x, WIDTH, step_x):
                rows += bytes(picture.getpixel((x, y)))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def main() -> None:
    picture = scene()
    translucent = picture.copy()
    translucent.putalpha(Image.linear_gradient("L").resize(picture.size))
    later = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)

    picture.save(FOLDER / "scene.png", optimize=True)
    picture.save(FOLDER / "baseline_420.jpg", quality=95, subsampling="4:2:0")
    picture.save(FOLDER / "baseline_444.jpg", quality=95, subsampling="4:4:4")
    picture.save(FOLDER / "progressive.jpg", quality=95, progressive=True)
    picture.save(FOLDER / "restart.jpg", quality=95, restart_marker_blocks=3)
    picture.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=95)
    # Stored as RGB: an Adobe marker with transform 0, components named R, G and B.
    picture.save(FOLDER / "rgb.jpg", quality=95, keep_rgb=True)
    picture.convert("L").save(FOLDER / "grey.jpg", quality=95)
    picture.save(FOLDER / "lossy.webp", quality=95)
    picture.save(FOLDER / "lossless.webp", lossless=True)
    translucent.save(FOLDER / "lossy_alpha.webp", quality=95, exact=True)
    translucent.save(FOLDER / "lossless_alpha.webp", lossless=True, exact=True)
    picture.save(FOLDER / "animated.webp", save_all=True, append_images=[later], quality=60)
    picture.save(FOLDER / "animated.png", save_all=True, append_images=[later], optimize=True)
    (FOLDER / "interlaced.png").write_bytes(interlaced_png(picture))


if __name__ == "__main__":
    main()
