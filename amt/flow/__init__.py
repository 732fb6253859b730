"""Where rows go: the order of the stages, and what their ledgers say when they are asked together."""
