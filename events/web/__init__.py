"""What listens: the listener pool and the pages of the service itself."""
