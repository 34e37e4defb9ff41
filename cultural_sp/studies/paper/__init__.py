"""The paper's table and claims, from results of finished runs."""
