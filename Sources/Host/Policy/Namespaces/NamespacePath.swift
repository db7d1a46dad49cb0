// Paths: "/acme/shop" names a namespace, "/acme/shop/web" an object in it.

/// The key of a processing unit.
public struct UnitKey: Hashable, Sendable, CustomStringConvertible {
    public let namespace: String
    public let name: String

    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// "NAMESPACE/NAME"; "/NAME" in the root.
    public var description: String { join(namespace, name) }
}

/// "NAMESPACE/NAME" without a doubled slash in the root.
func join(_ namespace: String, _ name: String) -> String {
    namespace == "/" ? "/" + name : namespace + "/" + name
}

/// The namespace above, nil for the root and for what is no path.
func parent(of namespace: String) -> String? {
    guard namespace.utf8.count > 1, let slash = namespace.lastIndex(of: "/") else { return nil }
    return slash == namespace.startIndex ? "/" : String(namespace[..<slash])
}
