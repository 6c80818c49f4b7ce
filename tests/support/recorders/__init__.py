"""Small servers that answer as recorders do, rightly and wrongly, and what they may do wrong."""
