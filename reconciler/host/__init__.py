"""The only door to the operating system. `protocol` says what a host can do; the rest are hosts."""
