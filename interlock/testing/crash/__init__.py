"""The crash kit: runs an agent, kills things around it, and looks whether an invariant broke."""
