"""`release comment`: one comment of a pull request that shows what its stacks would change."""
