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

/// The namespace above, nil for the root.
func parent(of namespace: String) -> String? {
    guard namespace != "/", let slash = namespace.lastIndex(of: "/") else { return nil }
    return slash == namespace.startIndex ? "/" : String(namespace[..<slash])
}

/// Whether an object of `namespace` holds in `place`: there, and with `propagate` below; never above or beside.
func holds(_ namespace: String, propagate: Bool, in place: String) -> Bool {
    namespace == place || propagate && isBelow(place, namespace)
}

/// Whether `place` lies below `namespace`.
func isBelow(_ place: String, _ namespace: String) -> Bool {
    namespace == "/" ? place.count > 1 && place.hasPrefix("/") : place.hasPrefix(namespace + "/")
}

/// Steps between two namespaces of one tree, by way of the nearest that is above both.
func distance(_ one: String, _ other: String) -> Int {
    let one = one.split(separator: "/")
    let other = other.split(separator: "/")
    let common = zip(one, other).prefix { $0 == $1 }.count
    return one.count + other.count - 2 * common
}
