"""One pydantic model per manifest kind, and the envelope around it. Knows nothing of files or hosts."""
