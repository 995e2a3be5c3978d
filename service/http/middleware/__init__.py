"""What stands around every route: the account of exchanges, and the limits of a request."""
