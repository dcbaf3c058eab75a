"""Whom to help: the rules that come with Kudos, how they are combined, and what they rest on."""
