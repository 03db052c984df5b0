"""The hosts of the repository, GitHub and Azure DevOps, through their REST APIs.

`github.py` and `azure_devops.py` have the same shape: a class that reads the CI job's variables, with the comments of a
pull request and the issues of the repository as `Notes`.
"""
