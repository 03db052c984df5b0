"""`release doctor`: finds what would make a stack's first update fail. It changes nothing."""
