"""The report of a night: facts from rows alone, then a page, plain text and plots of them.

Read ``facts`` (what a report tells), ``gather`` (where it comes from), ``page`` and ``text`` (how
it is told).
"""
