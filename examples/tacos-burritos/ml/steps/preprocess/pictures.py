"""Pictures from drawings: each drawing on many backgrounds, turned, moved, scaled, and in other light."""

import io
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

SIDE = 224
_DRAWN = 320  # larger than a picture, so that scaling does not blur


def drawing(path: Path) -> Image.Image:
    """Return a drawing with its transparent background."""
    content = bytes(resvg_py.svg_to_bytes(svg_string=path.read_text("utf-8"), width=_DRAWN, height=_DRAWN))
    return Image.open(io.BytesIO(content)).convert("RGBA")


def picture(source: Image.Image, random: np.random.Generator) -> np.ndarray:
    """Return one picture of a drawing, of 224 x 224 pixels in RGB."""
    side = int(SIDE * random.uniform(0.55, 0.95))
    turned = source.rotate(random.uniform(-35, 35), Image.Resampling.BICUBIC).resize((side, side))
    if random.random() < 0.5:
        turned = ImageOps.mirror(turned)
    canvas = _background(random)
    place = tuple(int(each) for each in random.integers(0, SIDE - side + 1, 2))
    canvas.paste(turned, place, turned)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        canvas = change(canvas).enhance(random.uniform(0.7, 1.3))
    if random.random() < 0.3:
        canvas = canvas.filter(ImageFilter.GaussianBlur(random.uniform(0.4, 1.4)))
    return np.asarray(canvas, np.uint8)


def _background(random: np.random.Generator) -> Image.Image:
    """Return white, a colour, or a gradient between two colours."""
    kind = random.random()
    if kind < 0.3:
        return Image.new("RGB", (SIDE, SIDE), "white")
    first, second = random.integers(40, 256, (2, 3))
    if kind < 0.7:
        second = first
    share = np.linspace(0, 1, SIDE)[:, None, None]
    gradient = (1 - share) * first + share * second
    return Image.fromarray(np.broadcast_to(gradient, (SIDE, SIDE, 3)).astype(np.uint8))
