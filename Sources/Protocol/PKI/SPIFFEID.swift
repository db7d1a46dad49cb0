// The name in a certificate: spiffe://TRUST-DOMAIN/ns/NAMESPACE.../pu/NAME.

/// A processing unit's SPIFFE ID (SPIFFE-ID.md, section 2): `spiffe://example.org/ns/acme/shop/pu/web-1`,
/// and `spiffe://example.org/ns/pu/web-1` in the root namespace.
public struct SPIFFEID: Hashable, Sendable, CustomStringConvertible {
    /// SPIFFE-ID.md, section 2.3: longer ones must not be generated, and need not be accepted.
    public static let maximumLength = 2048

    public let trustDomain: String
    public let namespace: NamespacePath
    public let name: String

    /// - Throws: `PKIError.request` if a part has characters that SPIFFE IDs cannot carry, or all is too long.
    public init(trustDomain: String, namespace: NamespacePath, name: String) throws(PKIError) {
        guard Self.isTrustDomain(trustDomain) else {
            throw .request(
                "\(trustDomain.quoted) is not a trust domain; use lower-case letters, digits, '.', '-' and '_', at most 255")
        }
        guard Self.isSegment(name) else {
            throw .request("\(name.quoted) cannot be the name of a processing unit; use letters, digits, '.', '-' and '_'")
        }
        self.trustDomain = trustDomain
        self.namespace = namespace
        self.name = name
        guard description.utf8.count <= Self.maximumLength else {
            throw .request("the SPIFFE ID of \(name.quoted) would be over \(Self.maximumLength) bytes; shorten its namespace or name")
        }
    }

    /// Parses what `description` writes, and nothing else.
    /// - Throws: `PKIError.identity`, naming what is wrong.
    public init(_ text: some StringProtocol) throws(PKIError) {
        let (trustDomain, path) = try Self.split(text)
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        // "", "ns", the namespace, "pu", NAME. The last two are fixed, so a namespace may itself hold "pu".
        guard segments.count >= 4, segments[0].isEmpty, segments[1] == "ns", segments[segments.count - 2] == "pu",
            segments.dropFirst().allSatisfy(Self.isSegment)
        else { throw .identity("\(text.quoted) is not a processing unit's SPIFFE ID, spiffe://TRUST-DOMAIN/ns/NAMESPACE/pu/NAME") }
        self.trustDomain = trustDomain
        namespace = NamespacePath(components: segments[2..<(segments.count - 2)])
        name = String(segments[segments.count - 1])
    }

    public var description: String {
        "spiffe://\(trustDomain)/ns\(namespace == .root ? "" : namespace.description)/pu/\(name)"
    }

    /// The SPIFFE ID of a trust domain itself, as CA certificates carry it (X509-SVID.md, section 3.1): no path.
    /// - Throws: `PKIError.identity`.
    static func trustDomain(in text: String) throws(PKIError) -> String {
        let (trustDomain, path) = try split(text)
        guard path.isEmpty else {
            throw .identity("\(text.quoted) names a workload, where a CA's certificate has only spiffe://TRUST-DOMAIN")
        }
        return trustDomain
    }

    /// SPIFFE-ID.md, section 2.1: lower-case letters, digits, '.', '-' and '_'; at most 255 bytes.
    public static func isTrustDomain(_ text: some StringProtocol) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy { isLowerCaseOrDigit($0) || isPunctuation($0) }
    }

    /// SPIFFE-ID.md, section 2.2: letters, digits, '.', '-' and '_', but neither "." nor "..".
    public static func isSegment(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text != "." && text != ".."
            && text.utf8.allSatisfy {
                isLowerCaseOrDigit($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || isPunctuation($0)
            }
    }

    /// The trust domain and the path (empty, or from its first slash) of any SPIFFE ID.
    private static func split(_ text: some StringProtocol) throws(PKIError) -> (trustDomain: String, path: Substring) {
        let text = Substring(text)
        guard text.utf8.count <= maximumLength else { throw .identity("the SPIFFE ID is over \(maximumLength) bytes") }
        guard text.hasPrefix("spiffe://") else {
            throw .identity("the URI \(text.quoted) is not a SPIFFE ID, spiffe://TRUST-DOMAIN/PATH")
        }
        let rest = text.dropFirst("spiffe://".count)
        let authority = rest.prefix { $0 != "/" }
        guard isTrustDomain(authority) else { throw .identity("\(text.quoted) has no well-formed trust domain") }
        return (String(authority), rest[authority.endIndex...])
    }

    private static func isLowerCaseOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isPunctuation(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
}
