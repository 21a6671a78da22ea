"""The sensors of the project whose sensors are killed: one of each kind, and one that only gets what is published."""
