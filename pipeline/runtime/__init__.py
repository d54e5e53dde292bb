"""Provides what all other packages of the pipeline use: storage, locks, isolation, progress."""
