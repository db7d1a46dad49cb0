// The command's root.
