"""Kernel collocation on scattered points, domains of any shape, in almost linear time by sparse Cholesky factors."""
