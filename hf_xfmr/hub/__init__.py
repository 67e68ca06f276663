"""Models on a hub: who may push (access), what a push uploads (dual, card), how (push, upload), and that it loads."""
