"""`python -m fuzzing [--requests N] [--seed N]`: attack an amlite of its own, and print the table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from amlite.testing import LocalAzure
from fuzzing.campaign import Campaign
from fuzzing.world import create


def main() -> int:
    """Run the campaign; the exit code is 1 if an answer was a 5xx or did not come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=7500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amlite-attack-") as folder, LocalAzure.started(Path(folder)) as azure:
        report = Campaign(azure, create(azure)).run(given.requests, given.seed)
    for failure in report.failures:
        print(failure, file=sys.stderr)
    print(report.table())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
