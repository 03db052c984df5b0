"""The typed settings of a stack, one module for each topic, and the reader of the stack's configuration."""
