"""The Beam graph: stages, transforms, runners and the run from end to end."""
