"""amlite's own surface, for its command line: status, clock, faults."""
