"""Speed, beside other tools: tools take turns in rounds, and ratios are of the same round
(`benchmarks.timing`).

process_cost       wall time, CPU, peak memory of commands; process_tree: of all they start
pipeline           keyframes (extract_keyframes, beside decode), shots, model_calls
scale              many films, and a long one
loader             chunks that a trainer is given; compared_loaders has the loaders
training_step      a step of the story stage
generation         a picture and its text
cpu                this CPU's instructions against AVX2 alone: training steps (cpu_training),
                   products of matrices (cpu_products)
scaling_exponents  how cost grows with films, their length and stories' length
"""
