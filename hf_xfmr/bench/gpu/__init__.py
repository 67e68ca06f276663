"""What only a GPU can show, in one go of at most eight minutes: parity, speed beside stock's ways, and memory."""
