"""What tells the stories that are compared: functions from an opening to a story.

ours        a trained run, with any policy for its cache; all openings at once
baselines   what needs no model: copying, searching, the truth itself
outputs     stories that others have written to a folder, in whatever layout their scripts have
"""
