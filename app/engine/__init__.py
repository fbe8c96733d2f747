"""The engine: it drives threads towards their ends and writes every step of the way to the journal."""
