"""Recent inputs beside the split that the promises were made on."""
