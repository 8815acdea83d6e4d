"""Translators, one folder per backend. They import model, kinds, provider and host, as plugins do."""
