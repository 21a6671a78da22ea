"""The sensors of the project that is crashed."""
