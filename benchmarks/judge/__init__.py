"""Judges of stories: a vision-language model, as the SEED-Story paper used GPT-4, or people.

- `questions`: the prompts, for scores of one story and a preference between two
- `client`: asks, through the pipeline's inference client: cached, resumed, within a budget
- `people`: writes pairs for people to compare, and reads their answers
- `preferences`: what both orders of a pair amount to, and position bias
- `bradley_terry`: ratings from preferences
- `sign_test`: significance of preferences
- `agreement`: agreement of judges, Cohen's kappa
- `run`, `tables`: the benchmark and its tables
"""
