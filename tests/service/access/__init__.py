"""Who gets in, without HTTP."""
