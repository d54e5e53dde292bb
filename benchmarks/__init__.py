"""Benchmarks: how good the dataset and the story model are, and how fast both are made."""
