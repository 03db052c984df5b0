"""Step `preprocess`: draws the pictures that the model is trained and measured on, and keeps them on the volume."""

import argparse
import hashlib
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pictures
import yaml

log = logging.getLogger("preprocess")

LABELS = ("burrito", "taco")
DRAWINGS = Path(__file__).parent / "drawings"


def main() -> None:
    """Write `pictures.npy` and `pictures.json` to a folder of the volume."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    if not arguments.volume.is_dir():
        sys.exit(f"preprocess: the volume {arguments.volume} is not mounted")
    sources = yaml.safe_load((DRAWINGS / "styles.yml").read_text("utf-8"))["styles"]
    random = np.random.default_rng(arguments.seed)
    found, labels, styles = [], [], []
    for source in sources:
        for number, label in enumerate(LABELS):
            drawn = pictures.drawing(DRAWINGS / source["style"] / f"{label}.svg")
            found += [pictures.picture(drawn, random) for _ in range(arguments.count)]
            labels += [number] * arguments.count
            styles += [source["style"]] * arguments.count
        log.info("%s (%s, %s): %d pictures", source["style"], source["author"], source["licence"], 2 * arguments.count)
    folder = arguments.volume / arguments.run
    folder.mkdir(parents=True, exist_ok=True)
    content = np.stack(found)
    np.save(folder / "pictures.npy", content)
    summary = {
        "labels": list(LABELS),
        "sources": sources,
        "pictures": len(found),
        "sha256": hashlib.sha256(content.tobytes()).hexdigest(),
    }
    lines = {**summary, "label": labels, "style": styles}
    (folder / "pictures.json").write_text(json.dumps(lines), "utf-8")
    write(arguments.summary, json.dumps(summary, indent=2))
    write(arguments.folder, str(folder))


def write(path: Path, text: str) -> None:
    """Write an output, whose folder may not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in kubeflow/pipeline.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volume", type=Path, required=True, help="where the volume is mounted")
    parser.add_argument("--run", required=True, help="id of the run, which names its folder on the volume")
    parser.add_argument("--count", type=int, required=True, help="pictures of each drawing")
    parser.add_argument("--seed", type=int, required=True, help="seed of the changes to each picture")
    parser.add_argument("--folder", type=Path, required=True, help="output: the folder on the volume")
    parser.add_argument("--summary", type=Path, required=True, help="output: the sources and the number of pictures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
