"""The language models: one client, and the embedded rule-based solver used when nothing is configured."""
