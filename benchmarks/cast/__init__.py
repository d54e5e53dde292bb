"""Measures who is in the pictures of the sample's dataset, against where its figures were drawn."""
