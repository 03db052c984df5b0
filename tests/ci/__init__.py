"""Runs the CI files of this repository as their hosts do, against the local Azure: each shell step, in order.

Only what the files use is understood. Everything else is refused, so that a file cannot use something that no test
executes.
"""
