"""Is it any good, how fast, against whom. `python -m benchmarks --help` lists what can be run."""
