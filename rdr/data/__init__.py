"""Images for training: read from anywhere, stored once as patches, loaded in an order that can be resumed."""
