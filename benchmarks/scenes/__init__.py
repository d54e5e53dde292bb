"""Measures the scenes and places of the sample's dataset, against where its shots were drawn."""
