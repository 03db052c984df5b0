"""Sets up the machine: one command that brings every tool the project needs, with nothing but Python installed.

Only the standard library is imported here, for this package runs before anything is installed.
"""
