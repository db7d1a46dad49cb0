// Addresses, CIDRs, domain names, and the entries of external networks.

public import Linux

/// Parses an address or a CIDR, and says what is wrong with it.
public func parseCIDR(_ text: String) throws(SyntaxProblem) -> CIDR {
    let forms = "write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
    // inet_pton(3) would stop at a NUL.
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { throw SyntaxProblem("\(quoted(text)) is no address or CIDR; \(forms)") }
    if let cidr = CIDR(text) { return cidr }
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(parts[0]) else { throw SyntaxProblem("\(quoted(text)) is no address or CIDR; \(forms)") }
    let bits = address.isV4 ? 32 : 128
    guard parts.count == 2, parts[1].utf8.allSatisfy(isDigit), let length = Int(parts[1]), length <= bits else {
        throw SyntaxProblem("\(quoted(text)) has no prefix length from 0 to \(bits) after its /")
    }
    let mended = CIDR(address, prefix: address.isV4 ? length + 96 : length)
    throw SyntaxProblem("\(quoted(text)) has bits set past its prefix; write \(mended), or \(address) for the one address")
}

/// Parses one address.
public func parseAddress(_ text: String) throws(SyntaxProblem) -> IPAddress {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), let address = IPAddress(text) else {
        throw SyntaxProblem("\(quoted(text)) is no address; write 192.0.2.1 or 2001:db8::1")
    }
    return address
}

/// Checks a domain name without wildcard (RFC 1123, section 2.1; underscores, which DNS itself allows, are too).
/// - Returns: The name in lower case, without a dot at its end.
@discardableResult
public func parseDomainName(_ text: String) throws(SyntaxProblem) -> String {
    let name = (text.hasSuffix(".") ? String(text.dropLast()) : text).lowercased()
    if name.isEmpty { throw SyntaxProblem("\(quoted(text)) is no domain name; write one such as web.example.com") }
    if name.contains("*") { throw SyntaxProblem("\(quoted(text)) has a wildcard; write a whole name such as web.example.com") }
    if (try? parseAddress(text)) != nil { throw SyntaxProblem("\(quoted(text)) is an address, not a domain name") }
    guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
        throw SyntaxProblem("\(quoted(text)) has letters that DNS does not carry; write it in its xn-- form")
    }
    // RFC 1035, section 2.3.4.
    guard name.utf8.count <= 253 else { throw SyntaxProblem("\(quoted(text)) has more than 253 characters") }
    let labels = name.split(separator: ".", omittingEmptySubsequences: false)
    for label in labels {
        if label.isEmpty { throw SyntaxProblem("\(quoted(text)) has an empty part; write each dot once") }
        guard label.utf8.count <= 63 else { throw SyntaxProblem("\(quoted(label)) has more than 63 characters") }
        guard label.first != "-", label.last != "-", label.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" })
        else { throw SyntaxProblem("\(quoted(label)) in \(quoted(text)) is no part of a domain name; use letters, digits and hyphens") }
    }
    // Otherwise 10.0.0 or 300.1.1.1 would go to the resolver.
    guard labels.last?.allSatisfy(\.isNumber) == false else {
        throw SyntaxProblem("\(quoted(text)) is neither an address nor a domain name")
    }
    return name
}

/// An entry of an external network.
public enum ExternalEntry: Sendable, Hashable {
    /// "192.0.2.0/24"
    case network(CIDR)
    /// "!192.0.2.7"
    case exclusion(CIDR)
    /// "web.example.com", in lower case
    case name(String)
    /// "*.example.com": every name below "example.com"
    case namesBelow(String)

    public init(_ text: String) throws(SyntaxProblem) {
        if text.hasPrefix("!") {
            let excluded = String(text.dropFirst())
            if (try? parseDomainName(excluded)) != nil {
                throw SyntaxProblem("\(quoted(text)) excludes a name; only addresses and CIDRs can be excluded")
            }
            self = .exclusion(try parseCIDR(excluded))
        } else if text.hasPrefix("*.") {
            self = .namesBelow(try parseDomainName(String(text.dropFirst(2))))
        } else if text.contains("*") {
            throw SyntaxProblem("\(quoted(text)) has a wildcard inside; * stands only for the first part, as in *.example.com")
        } else if text.contains("/") || text.contains(":") || text.last?.isNumber == true {
            self = .network(try parseCIDR(text))
        } else {
            self = .name(try parseDomainName(text))
        }
    }
}
