"""The TORITOS pipeline: nights of CCD frames in, calibrated and checked images out.

Read ``loader`` (how a file becomes a row), ``steps`` (what is made of it), ``instrument`` (where
a camera's profile comes from). Other telescopes are other profiles, not other code.
"""
