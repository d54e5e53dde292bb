"""A vision-language model as judge of stories, as the SEED-Story paper used GPT-4.

questions      the prompts: scores of one story, a preference between two client         asks,
through the pipeline's inference client: cached, resumed, within a budget preferences    what both
orders of a pair amount to, and position bias bradley_terry  ratings from preferences sign_test
significance of preferences agreement      agreement of judges, Cohen's kappa run, tables    the
benchmark and its tables
"""
