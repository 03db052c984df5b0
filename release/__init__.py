"""From a deployed platform to a served model: train, gate, promote, roll out, score. Reads stack outputs, nothing else."""
