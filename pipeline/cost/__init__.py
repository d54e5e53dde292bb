"""Estimates what a run takes: calls, tokens, cost, time and storage."""
