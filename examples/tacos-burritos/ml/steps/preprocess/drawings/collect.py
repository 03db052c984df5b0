"""Collects the drawings of this folder from npm's `@iconify-json` packages. Run it to update them: `python collect.py`.

It needs npm, and a network that reaches its registry. Each style's folder gets `taco.svg` and `burrito.svg`.
`styles.yml` lists the package, version, author and licence of each style.
"""

import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

import yaml

STYLES = ("emojione", "fluent-emoji", "fluent-emoji-flat", "noto", "noto-v1", "openmoji", "twemoji")
LABELS = ("burrito", "taco")
HEADER = "# The drawings' sources and licences. Written by collect.py.\n"


def main() -> None:
    """Replace the drawings and the list of their sources."""
    here = Path(__file__).parent
    sources = [collect(style, here / style) for style in STYLES]
    text = yaml.safe_dump({"styles": sources}, sort_keys=False, allow_unicode=True)
    (here / "styles.yml").write_text(HEADER + text, "utf-8")


def collect(style: str, folder: Path) -> dict[str, str]:
    """Write a style's drawings, and return its entry in styles.yml."""
    package = f"@iconify-json/{style}"
    with tempfile.TemporaryDirectory() as temporary:
        packing = ["npm", "pack", "--silent", package]
        archive = subprocess.run(packing, cwd=temporary, check=True, capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(Path(temporary) / archive) as content:
            documents = {}
            for name in ("package", "info", "icons"):
                file = content.extractfile(f"package/{name}.json")
                documents[name] = json.load(file) if file else {}
    icons, info = documents["icons"], documents["info"]
    folder.mkdir(exist_ok=True)
    for label in LABELS:
        icon = icons["icons"][label]
        width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
        opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        (folder / f"{label}.svg").write_text(f"{opening}{icon['body']}</svg>\n", "utf-8")
    return {
        "style": style,
        "package": package,
        "version": documents["package"]["version"],
        "author": info["author"]["name"],
        "source": info["author"]["url"],
        "licence": info["license"]["spdx"],
        "licence_url": info["license"]["url"],
    }


if __name__ == "__main__":
    main()
