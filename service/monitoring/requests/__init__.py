"""Request observers: the log and traces, and the exchanges that they are told of."""
