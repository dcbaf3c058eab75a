"""WebAssembly modules in text form, with places for constants that a seed fills in."""
