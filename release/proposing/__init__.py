"""`release propose`: one pull request with the stack files that CI changed."""
