#!/usr/bin/env python3
"""Makes the sample pictures beside this file from the public-domain portrait that scikit-image carries.

Deterministic: the same versions of scikit-image and Pillow write the same bytes (see README.md for both).
usage: python3 samples/make_samples.py
"""

import pathlib

import numpy as np
from PIL import Image, ImageFilter
from skimage import data

FOLDER = pathlib.Path(__file__).resolve().parent


def save(name: str, picture: Image.Image, quality: int) -> None:
    picture.save(FOLDER / f"{name}.jpg", quality=quality, subsampling="4:2:0")


def main() -> None:
    portrait = Image.fromarray(data.astronaut())
    save("astronaut", portrait, 92)

    # Far out of focus: the face is still found, its details are gone.
    save("blurred", portrait.filter(ImageFilter.GaussianBlur(6)), 90)

    # A twelfth of the light, and the sensor's rounding with it.
    levels = np.asarray(portrait, dtype=np.float32)
    save("dark", Image.fromarray((levels / 12 + 0.5).astype(np.uint8)), 90)

    # The whole portrait at 160 pixels in a 640x480 frame of its own background grey: the face is far too small.
    frame = Image.new("RGB", (640, 480), (128, 128, 128))
    frame.paste(portrait.resize((160, 160), Image.Resampling.LANCZOS), (240, 160))
    save("tiny", frame, 90)

    # The same person twice, the second mirrored.
    pair = Image.new("RGB", (1024, 512))
    pair.paste(portrait, (0, 0))
    pair.paste(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
    save("two_faces", pair, 85)

    # The space shuttle's model behind her.
    shuttle = portrait.crop((310, 0, 510, 150))
    save("no_face", shuttle.resize((640, 480), Image.Resampling.LANCZOS), 90)


if __name__ == "__main__":
    main()
