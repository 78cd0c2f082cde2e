"""The same Airflow without a database as for the plugin's tests."""

from tests.plugins.conftest import ROOT  # noqa: F401  imported for the settings that it makes
