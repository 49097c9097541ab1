"""What runs inside the program under test: the standard library and gilscope's own wheel only."""
