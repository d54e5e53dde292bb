"""The story model: its predictions on held-out chunks beside baselines, and its attention.

evaluation        predicted features, and attributes of painted pictures retrieval         recall@1
of the true picture among others of its episode ridge_regression  the linear baseline trained_model
the model as four functions chunks            the chunks it is evaluated on attention_map
attention by kind of token run, tables       the benchmark and its tables
"""
