"""Scratchpads of banks: which bank a byte lies in, what a pass reads, how many cycles its conflicts take."""
