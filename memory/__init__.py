"""What this deployment remembers: knowledge documents and labelled examples."""
