"""Hands the plugin to Airflow, which would run any other file here as a module of its own."""

from corral_ops.plugin import CorralOpsPlugin  # noqa: F401
