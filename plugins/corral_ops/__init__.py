"""Airflow glue: operators, trigger, hook, notifier, timetable. It knows no pipeline by name."""
