"""Azure's own hosts that amlite does not serve.

amlite refuses them, because a request for the local Azure must not reach the real one.
"""
