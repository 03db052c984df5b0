"""`python -m amlite.cli`: the command line without its program on PATH."""

from amlite.cli.commands import main

main()
