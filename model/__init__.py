"""The story model: reads texts and pictures, and generates the next text and picture of a story.

    config        presets: what a model consists of and how it is trained; `presets/` has five
    data          shards of a dataset to batches
    tokens        the tokenizer, with tokens for pictures
    vision        the image encoder (visual tokenizer): pictures to features; `qwen_vl`, one of them
    resampler     features to the language model's inputs, and its outputs to features
    sequence      the token sequence of a story: positions, targets, attention mask
    story_lm      the language model with a resampler on either side
    autoencoder   pictures to latents and back
    detokenizer   features to pictures, by latent diffusion
    features      a dataset's features and latents, computed once
    predictions   the features that the trained story model predicts for a dataset
    stages        what each stage trains, its loss and its validation
    train         the training loop; `muon`, an optimizer; `precision`, bf16 or fp32
    checkpoints   weights and optimizer states on disk
    chain         all stages of a preset in order, skipping those that are up to date
    runs          the folder of a run, and loading from it
    attention     policies for a long story's cache; `reading` applies them
    generate      generates stories; `storybook` writes them as a page
    seed_story/   imports SEED-Story's released weights
    exporting     copies a run for others, with a model card

Source: SEED-Story, arXiv 2407.08683; what differs from its released code is said where it does.
"""
