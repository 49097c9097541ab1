"""``gilscope.executor``: threads, subinterpreters or processes behind one interface."""
