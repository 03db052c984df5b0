"""The tasks of the pipeline. They run inside the image, as the managed identity of the compute."""
