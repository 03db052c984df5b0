"""Azure's own hosts that amlite does not serve.

They are refused here: a request that is meant for the local Azure must not reach the real one.
"""
