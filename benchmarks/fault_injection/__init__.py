"""Fault injection: what the pipeline does when runs are killed and files are damaged.

crashes         injects faults into runs and checks that the next run completes the dataset
injected_faults the faults: kills, signals, a full disk, damaged files pipeline_runs   the runs of
the pipeline; kill_at_change kills one at a chosen moment resume_checks   what a run left behind,
and what the next one redid fuzz            runs the pipeline on mutated films; mutations makes them
"""
