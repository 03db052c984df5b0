"""What a workspace has and a registry takes: existing assets become files of the project, versions are shared."""
