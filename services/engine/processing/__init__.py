"""How a process moves: one processor for each element type, and the commands that reach the engine from outside."""
