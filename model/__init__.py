"""The story model: reads pictures among words, and tells and paints what comes next.

`vision` turns a picture into features, `resampler` features into what a language model reads and
back, `story_lm` is that language model, `sequence` lays a story out for it, `detokenizer` paints
features. `data` reads the shards of a dataset, `stages` says what is trained on what, `train` is
the loop, `generate` tells a story. `presets/` holds three sizes. Source: SEED-Story,
arXiv 2407.08683; what differs from its released code is said where it does.
"""
