"""Datasets: reads stories of any dataset folder and compares datasets.

layouts          reads the stories, in our layout or the published StoryStream's annotations
reads characters and captions near_duplicates  finds pictures that look the same comparison
the table of datasets: size, texts, duplicates, leaks
"""
