"""Partial differential equations: their solvers, random inputs and exact solutions."""
