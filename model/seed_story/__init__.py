"""Imports the released weights of SEED-Story (arXiv 2407.08683) as a run of this project.

    files        reads checkpoints of torch and safetensors, and writes safetensors in files of 1 GB
    names        tables: which of our weights is which of theirs
    language     the language model, with the adapters merged into it, and its resamplers
    painter      the de-tokenizer: perceiver, and the UNet's keys and values
    tower        Qwen-VL's visual tokenizer
    importing    all of them: `python -m model import seed-story`

Everything is strict: a name that is missing or left over stops the import. Source: the layouts are
those that the released code (github.com/TencentARC/SEED-Story) loads and saves.
"""
