"""Train a model: submit a pipeline, follow it, and promote what its gate accepts."""
