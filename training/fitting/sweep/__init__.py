"""Many fits with different settings. Those that share their minibatches are fitted together."""
