"""Two traces of one program, number by number."""
