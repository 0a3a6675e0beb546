"""What the detail screens say: pure functions from a board to lines. Nothing here reads or acts."""
