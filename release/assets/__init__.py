"""Existing assets of a workspace: write them as files of the project, or copy their versions to a registry."""
