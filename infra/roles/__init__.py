"""The roles of the platform: their definitions, who gets them and why, and the wait until they take effect."""
