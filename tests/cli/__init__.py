"""Commands, run as a user runs them: their text, their files and their exit codes."""
