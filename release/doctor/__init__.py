"""`release doctor`: what would fail in a stack's first update, found before it without changing anything."""
