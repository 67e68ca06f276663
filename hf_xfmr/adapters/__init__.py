"""PEFT's adapters on our models by stock's names: asked for by them, and loaded from and saved to stock's files.

`hooks.install()` is called when PEFT is imported. An adapter trained here is read by stock and PEFT without this
package, and one trained there is read here; what has no form on the other side is refused, or kept under our names,
with the reason.
"""
