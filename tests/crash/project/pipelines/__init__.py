"""The pipelines of the project that is crashed."""
