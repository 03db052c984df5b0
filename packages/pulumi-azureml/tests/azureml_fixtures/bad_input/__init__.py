"""Projects with one mistake each, and the one error that a preview shows for it.

`python -m azureml_fixtures.bad_input.listing` writes `listing.txt`, which has the error of each.
"""

from azureml_fixtures.bad_input import assets, documents, jobs, names, paths, serving, values

CASES = {
    f"{module.__name__.rpartition('.')[2]}: {name}": change
    for module in (documents, names, values, paths, assets, jobs, serving)
    for name, change in module.CASES.items()
}
