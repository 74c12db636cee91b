"""The promotion check: comparison of a challenger with the champion, verdict, drift."""
