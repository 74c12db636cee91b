"""What papers measured: selection, pooling over papers, citations."""
