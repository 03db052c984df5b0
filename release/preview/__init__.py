"""Previews of an update: the document, and how people read it."""
