"""One folder for each Azure service."""
