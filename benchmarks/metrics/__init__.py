"""What is measured of stories: each module has one question, its metrics and their table.

embeddings    what turns pictures and texts into features, for the others
pictures      are they like true ones, as a set?
image_text    does a picture show what its text says?
consistency   do a story's pictures belong together?
truth         are the right character, place and action there, by the sample's ground truth?
texts         do the texts read like a story?
perplexity    what a language model makes of them, for `texts`
"""
