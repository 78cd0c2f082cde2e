"""Django's commands for this site: `python manage.py migrate`, `python manage.py runserver`."""

import os

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "receiver.settings")
    execute_from_command_line()
