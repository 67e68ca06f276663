"""How every picture is drawn (style), and pictures of where a model looks (attention, maps)."""
