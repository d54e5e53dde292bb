"""Curation by people: what they decide, how the pipeline applies it, and the pages to decide on.

Decisions are rows of `decisions.jsonl` in the dataset folder (`schemas.decisions`), which only
grows. The stage `review` applies them to the stories that the writer has written; nothing else of a
dataset is ever edited. `app` serves the pages.
"""
