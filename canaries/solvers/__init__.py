"""The programs that solve puzzles: standard library only, each one file that a task carries along.

Their arguments are the puzzle; they print the solution as 64 hexadecimal digits.
"""
