"""Long stories: what each policy for the cache costs, and how well the model predicts under it.

policies    the variants that are compared
prediction  predicts text and picture after 10 to 100 pictures
painting    paints the predicted pictures and scores them
recurrence  scores what was last seen some pictures ago
cost        time and memory of the last picture
run, tables the benchmark and its tables
"""
