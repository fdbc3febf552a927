"""What people and files get wrong, as data, and how each answer is judged."""
