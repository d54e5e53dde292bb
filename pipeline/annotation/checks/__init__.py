"""Checks on written texts: each names what is wrong with one, or scores it."""
