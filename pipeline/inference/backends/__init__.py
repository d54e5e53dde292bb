"""The backends: model servers, local transformers models, and how one is loaded from its spec."""
