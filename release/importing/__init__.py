"""Taking over a project of `az ml` YAML with the layout that it has."""
