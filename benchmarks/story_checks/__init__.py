"""Measures the checks of stories: good ones that they refuse, corrupted ones that they accept."""
