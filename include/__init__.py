"""The kernel (``corral``), the science (``ccd``), and the pipelines made of them."""
