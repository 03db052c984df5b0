"""`release ci-login`: a command in a CI job, signed in for as long as it takes."""
