"""Documents in the workspace's storage that the stack manages: compiled pipelines and recurring runs."""
