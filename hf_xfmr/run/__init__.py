"""What every run goes through, whatever its task: settings, seeds, a starting point, training, and a finish."""
