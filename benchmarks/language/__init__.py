"""How well languages are told apart in mathematics and code: real English rows, and problems in 15 more."""
