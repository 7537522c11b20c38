"""Training of the built-in model pack: data, augmentation, nets, export and measurement."""
