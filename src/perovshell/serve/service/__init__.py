"""The prediction service: HTTP routes, the page, and what keeps them running."""
