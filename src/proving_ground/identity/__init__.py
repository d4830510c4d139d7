"""The identity provider: publishes keys, signs tokens, rotates. Tests get bad tokens."""
