"""Asking models: the client, its response cache, budget, concurrency and retries; the backends."""
