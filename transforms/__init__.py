"""What the jobs do: the Beam steps, and the thought behind them, which knows no Beam."""
