"""Words of a text to entities, as names of persons and places."""
