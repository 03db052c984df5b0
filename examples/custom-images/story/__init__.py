"""The chapters of the walkthrough."""
