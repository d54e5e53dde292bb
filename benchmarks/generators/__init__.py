"""Generators of the stories that are compared: functions from an opening to a story.

trained_run         a trained run, with any policy for its cache; all openings at once
baselines           without a model: repetition, retrieval, shuffling, the true story
diffusion_baseline  latent diffusion from a sentence, or from the previous picture too
evaluator_stories   what other benchmarks ask for, told with a trained run
external_stories    stories that other programs have written, in the layouts of their scripts
"""
