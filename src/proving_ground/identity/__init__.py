"""The identity provider: publishes keys, signs tokens, rotates. It also signs wrongly, for tests."""
