"""How a communication round is carried out: one executor a file, all with the same result."""
