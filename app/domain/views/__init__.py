"""What readers are shown: records in, JSON documents of the contract out. Pure functions, a file for each family.

Stored JSON text goes out as it was stored (`raw`), neither parsed nor written again: big numbers and key order survive.
"""
