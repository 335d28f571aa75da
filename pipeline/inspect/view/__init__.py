"""A local page through a store: by face, pair, video or reject, every array as an overlay, bad rows marked."""
