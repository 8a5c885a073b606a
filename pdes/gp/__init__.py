"""Gaussian-process solvers of differential equations: kernels, structured algebra, problems, and two ways to solve."""
