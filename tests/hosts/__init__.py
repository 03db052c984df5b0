"""GitHub's and Azure DevOps' REST APIs on loopback, as far as the release uses them."""
