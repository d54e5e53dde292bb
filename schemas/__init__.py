"""Defines what the packages share: what is written on disk, and the syntax of settings.

rows         the tables: Video, Keyframe, Caption, Story, Reject, each with its Arrow schema
answers      what a model must answer, as pydantic models (their JSON Schema goes to the server)
layout       how the files and folders of a dataset are named
published    the published StoryStream dataset: names of keyframes, records of its JSONL
overrides    parses NAME=VALUE into nested settings, for `--set`

This package imports nothing of ours, so `pipeline` (which writes) and `model` (which reads) can
both depend on it without knowing each other.
"""
