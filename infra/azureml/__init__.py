"""The former package of the dynamic provider. The states of older versions import the provider from it."""
