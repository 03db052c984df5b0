"""Step `train`: ImageNet features and a logistic regression, measured on styles that the training did not see.

Pictures of one drawing look alike, so a random split would measure how well the model recognizes drawings that it
knows. Here each style is left out once. The registered model is trained without one style, so that a person can try it.
"""

import argparse
import json
import logging
import statistics
import sys
import time
from pathlib import Path

import network
import numpy as np
import onnx
import onnxruntime
import weights
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

log = logging.getLogger("train")

REGULARIZATION = 0.01
BATCH = 16


def features(model: onnx.ModelProto, pictures: np.ndarray) -> np.ndarray:
    """Return the features of each picture."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    batches = range(0, len(pictures), BATCH)
    return np.concatenate([session.run(None, {"image": pictures[each : each + BATCH]})[0] for each in batches])


def fitted(found: np.ndarray, labels: np.ndarray) -> network.Classifier:
    """Return a logistic regression on scaled features."""
    scaler = StandardScaler().fit(found)
    model = LogisticRegression(C=REGULARIZATION, max_iter=2000).fit(scaler.transform(found), labels)
    return network.Classifier(scaler.mean_, scaler.scale_, model.coef_[0], float(model.intercept_[0]))


def accuracy(classifier: network.Classifier, found: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of pictures that get their own label."""
    folded, bias = classifier.folded()
    return float(np.mean((found @ folded + bias > 0) == labels))


def held_out(found: np.ndarray, labels: np.ndarray, styles: np.ndarray) -> dict[str, float]:
    """Return the accuracy on each style, of a model that is trained on the others."""
    result = {}
    for style in sorted(set(styles.tolist())):
        others = styles != style
        classifier = fitted(found[others], labels[others])
        result[style] = round(accuracy(classifier, found[~others], labels[~others]), 4)
    return result


def main() -> None:
    """Write the model with its card, and the metrics."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    pictures = np.load(arguments.pictures / "pictures.npy", mmap_mode="r")
    described = json.loads((arguments.pictures / "pictures.json").read_text("utf-8"))
    labels, styles = np.array(described["label"]), np.array(described["style"])
    if arguments.held_out not in styles:
        sys.exit(f"train: there is no style '{arguments.held_out}'; there are: {', '.join(sorted(set(styles)))}")
    began = time.perf_counter()
    found = weights.read(weights.packaged())
    extracted = features(network.build(found), np.ascontiguousarray(pictures))
    log.info("features of %d pictures: %.1f s", len(extracted), time.perf_counter() - began)
    by_style = held_out(extracted, labels, styles)
    seen = styles != arguments.held_out
    classifier = fitted(extracted[seen], labels[seen])
    metrics = {
        "accuracy_by_held_out_style": by_style,
        "accuracy_mean": round(statistics.mean(by_style.values()), 4),
        "accuracy_spread": round(statistics.stdev(by_style.values()), 4),
        "accuracy_worst": min(by_style.values()),
        "held_out": arguments.held_out,
        "accuracy_held_out": round(accuracy(classifier, extracted[~seen], labels[~seen]), 4),
        "pictures": len(extracted),
        "pictures_sha256": described["sha256"],
    }
    for style, value in by_style.items():
        log.info("accuracy on %s, trained on the others: %.3f", style, value)
    arguments.model.mkdir(parents=True, exist_ok=True)
    onnx.save(network.build(found, classifier), arguments.model / "model.onnx")
    card = {"labels": described["labels"], "sources": described["sources"], **metrics}
    (arguments.model / "card.json").write_text(json.dumps(card, indent=2), "utf-8")
    arguments.metrics.parent.mkdir(parents=True, exist_ok=True)
    arguments.metrics.write_text(json.dumps(metrics, indent=2), "utf-8")
    report(json.loads(arguments.executor_input), metrics)


def report(executor_input: dict[str, object], metrics: dict[str, object]) -> None:
    """Add the figures to the metrics artifact, so that Kubeflow's dashboard shows them."""
    outputs = dict(executor_input["outputs"])
    artifact = outputs["artifacts"]["metrics"]["artifacts"][0]
    figures = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
    entry = {"name": artifact["name"], "uri": artifact["uri"], "metadata": figures}
    path = Path(outputs["outputFile"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"artifacts": {"metrics": {"artifacts": [entry]}}}), "utf-8")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in kubeflow/pipeline.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder that preprocess wrote")
    parser.add_argument("--held_out", required=True, help="style that the registered model is not trained on")
    parser.add_argument("--model", type=Path, required=True, help="output: folder with model.onnx and card.json")
    parser.add_argument("--metrics", type=Path, required=True, help="output: accuracy of each style")
    parser.add_argument("--executor_input", required=True, help="Kubeflow's description of the step's outputs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
