"""A node: sends its processes to other nodes, runs theirs, and decides whom to help."""
