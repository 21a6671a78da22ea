"""This repository's own sensors and triggers: what a project's `sensors/` folder looks like. One file per sensor."""
