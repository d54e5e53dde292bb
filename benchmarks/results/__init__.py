"""Results: tables of figures with their intervals, and what is written of them.

tables                figures, columns, tables, and how a cell is formatted confidence_intervals
bootstrap intervals markdown, readme      tables as Markdown, and in a README results_json
results.json, and comparison of two of them report, story_pages   the HTML report, and its pages of
stories side by side
"""
