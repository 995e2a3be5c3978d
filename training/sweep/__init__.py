"""Many fits that differ in their settings, those that can be fitted together as one wide matrix product."""
