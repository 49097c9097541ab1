"""What runs in the notebook: ``%load_ext gilscope`` and the magics."""
