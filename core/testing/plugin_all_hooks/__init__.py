"""A plugin that uses every hook: the proof that each can be used, and what the contract tests run against."""
