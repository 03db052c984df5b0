"""From a deployed platform to a served model: train, gate, promote, roll out, score. It reads stack outputs alone."""
