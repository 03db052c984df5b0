"""Commands for a deployed platform: train, gate, promote, roll out and score. They read only the stack's outputs."""
