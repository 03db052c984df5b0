"""The output of the release: the progress of an update, and the summary."""
