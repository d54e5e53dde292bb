"""How fast, against whom: tools that are compared take turns, and ratios are of the same round.

rounds         the turns, and figures of them
processes      commands: wall time, CPU, peak memory of each; process_tree: of all they start
pipeline       keyframes (`extract`, beside `decode`), shots (`shot_scores`), calls to models
               (`throughput`)
scale          many films, and a long one
loader         chunks that a trainer is given
training_step  a step of the story stage
generation     a picture and its text
cpu            work with this CPU's instructions and with AVX2 alone: training steps
               (`cpu_training`), products of matrices (`cpu_products`)
growth         how cost grows with films, their length and stories' length
"""
