"""``kudos demo``: a chain, three nodes, three validators and a real build, checked from outside."""
