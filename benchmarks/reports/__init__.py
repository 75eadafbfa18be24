"""What each part's samples mean: tables and charts."""
