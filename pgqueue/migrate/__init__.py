"""Install and upgrade the schema: numbered migrations once, functions as a whole."""
