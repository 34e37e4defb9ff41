"""Questions on cultural knowledge, which show whether an alignment to values costs or brings any."""
