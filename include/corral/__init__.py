"""The kernel: Step, Loader, Alert, and the ledger that makes them atomic. No Airflow, no science.

Read ``step`` (what an author writes), ``plan`` (what wants doing), ``claims`` (who does it),
``execute`` and ``commit`` (why it cannot be half done), ``drain`` (the loop around them).
"""
