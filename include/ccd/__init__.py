"""Science of CCD frames: arrays and headers in, arrays and numbers out.

Nothing here knows a database or a scheduler. Read `header.py` (what is known of a frame),
`safe_reader.py` and `fits_reader.py` (how a file becomes that), `image.py` (what a product is).
"""
