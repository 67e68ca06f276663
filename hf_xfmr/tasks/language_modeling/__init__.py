"""GPT-2 on texts: what comes next."""
