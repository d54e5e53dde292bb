"""Asking a model: client, response cache, budget, concurrency and backends."""
