"""The acceptance run: everything that the platform promises, once, on a stack in a real subscription or on amlite."""
