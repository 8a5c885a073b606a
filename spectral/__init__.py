"""Ground floor: grids, transforms, derivatives, filters and norms."""
