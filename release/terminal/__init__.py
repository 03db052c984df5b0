"""The output of the release: previews, the progress of an update, and the summary."""
