"""Architectures: does every stage work on weights as hubs serve them?

saved_weights  makes small models with random weights, in the layouts and dtypes of hubs
chain          trains, resumes and generates with such weights
run            the benchmark and its table
"""
