"""Tries films of every kind, and says what comes of each."""
