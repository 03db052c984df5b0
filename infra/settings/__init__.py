"""The typed settings of a stack by topic, and how its configuration is read into them."""
