"""The pipeline of the project whose sensors of all kinds are killed."""
