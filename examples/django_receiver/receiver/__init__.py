"""A site that takes the alerts of a pipeline, and shows them."""
