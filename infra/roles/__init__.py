"""The roles of the platform: which there are, who gets them and why, and how to wait until they are in effect."""
