"""This repository's own pipelines: what a project's `pipelines/` folder looks like. The daemon loads every module in it."""
