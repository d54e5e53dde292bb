"""What becomes of runs and films that bad things happen to.

crashes  runs that are killed (`dying`), starved and tampered with (`disturbances`)
fuzz     films that are mutated
"""
