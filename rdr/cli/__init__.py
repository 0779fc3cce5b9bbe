"""Commands on images and sources; nothing imports this package."""
