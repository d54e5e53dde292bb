"""Videos to dataset: an Apache Beam pipeline. `python -m pipeline --help` lists what it does."""
