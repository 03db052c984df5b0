"""Estimates the monthly cost of a stack from a dated table of prices."""
