"""Checks of model answers: each says what is wrong with a text, or returns "" or a score."""
