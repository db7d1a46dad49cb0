// The version that `--version`, `status` and the records of the release name.

/// Semantic version; CHANGELOG.md says what is in it.
public let sallyportVersion = "0.1.0"
