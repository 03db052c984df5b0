"""The page docs/coverage.md: which of Azure's operations amlite answers, from facts alone."""
