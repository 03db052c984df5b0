"""Jobs of the workspace, and their logs."""
