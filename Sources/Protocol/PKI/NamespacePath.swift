// A namespace as certificates carry it: "/acme/prod/shop".

/// The path of a namespace. Components are of the characters of a SPIFFE path segment, since a path becomes
/// part of a SPIFFE ID.
public struct NamespacePath: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// "/" for the root, else "/" before each component and none at the end.
    public let description: String

    public static let root = NamespacePath(unchecked: "/")

    private init(unchecked text: String) { description = text }

    /// - Throws: `PKIError.request` for anything that `description` would not give back unchanged.
    public init(_ text: some StringProtocol) throws(PKIError) {
        let text = Substring(text)
        if text == "/" {
            self = .root
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.first?.isEmpty == true, parts.count > 1, parts.dropFirst().allSatisfy({ SPIFFEID.isSegment($0) }) else {
            throw .request(
                "\(text.quoted) is not a namespace path; write \"/\" or \"/acme/shop\", with letters, digits, '.', '-' and '_'")
        }
        self.init(unchecked: String(text))
    }

    /// The path of components that are known to be well formed; none for the root.
    init(components: some Collection<Substring>) {
        self.init(unchecked: components.isEmpty ? "/" : components.map { "/\($0)" }.joined())
    }

    /// Whether `other` is this namespace or lies below it: "/acme" holds "/acme/shop" and not "/acmex".
    public func contains(_ other: NamespacePath) -> Bool {
        self == .root || other == self || other.description.hasPrefix(description + "/")
    }

    public static func < (left: NamespacePath, right: NamespacePath) -> Bool { left.description < right.description }
}
