"""Small programs used by the Makefile and by the system tests; no part of a deployment."""
