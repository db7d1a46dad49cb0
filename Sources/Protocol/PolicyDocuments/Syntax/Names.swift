// Names of objects and paths of namespaces. Both become segments of SPIFFE IDs, hence their alphabet
// (SPIFFE-ID, section 2.2: letters, digits, ".", "-", "_"; no segment "." or "..").

/// A DNS label path of Kubernetes has at most 253; longer names would also not fit certificates.
private let maximumName = 253
/// With a name and a trust domain it stays under the 2048 bytes of a SPIFFE ID.
private let maximumPath = 1024

/// Checks the name of an object or an enforcer.
public func checkName(_ name: String) throws(SyntaxProblem) {
    if name.isEmpty { throw SyntaxProblem("is missing; give a name of letters, digits, \".\", \"-\" and \"_\"") }
    guard name.utf8.count <= maximumName else { throw SyntaxProblem("has \(name.utf8.count) bytes; use at most \(maximumName)") }
    guard name.utf8.allSatisfy(isNameByte), name != ".", name != ".." else {
        throw SyntaxProblem("\(quoted(name)) is no name; use letters, digits, \".\", \"-\" and \"_\"")
    }
}

/// Checks the path of a namespace: "/" or "/acme/shop".
public func checkNamespacePath(_ path: String) throws(SyntaxProblem) {
    if path == "/" { return }
    if path.isEmpty { throw SyntaxProblem("is missing; give the path of the namespace, such as /acme/shop") }
    guard path.utf8.count <= maximumPath else { throw SyntaxProblem("has \(path.utf8.count) bytes; use at most \(maximumPath)") }
    guard path.hasPrefix("/") else { throw SyntaxProblem("\(quoted(path)) must begin with /, such as /acme/shop") }
    guard !path.hasSuffix("/") else { throw SyntaxProblem("\(quoted(path)) must not end with /; write \(quoted(path.dropLast()))") }
    for part in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
        if part.isEmpty { throw SyntaxProblem("\(quoted(path)) has an empty part; write each / once") }
        guard part.utf8.count <= maximumName, part.utf8.allSatisfy(isNameByte), part != ".", part != ".." else {
            throw SyntaxProblem("\(quoted(part)) in \(quoted(path)) is no name; use letters, digits, \".\", \"-\" and \"_\"")
        }
    }
}

private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
    default: false
    }
}
