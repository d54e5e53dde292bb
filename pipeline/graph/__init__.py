"""Declares the stages of the pipeline and runs them as an Apache Beam graph."""
