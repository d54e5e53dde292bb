"""A model that looks at stories and judges them, as the SEED-Story paper had GPT-4 do.

questions    what it is asked: scores of one story, a preference between two
asking       asks, by the pipeline's own calls: kept, resumed, within a budget
preferences  what both orders of a pair come to, and how far the order decided
ratings      sign test, Bradley-Terry ratings, kappa
tables       all of it as tables (`tables.run`)
"""
