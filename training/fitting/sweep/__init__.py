"""Many fits that differ in their settings, those that share minibatches fitted together."""
