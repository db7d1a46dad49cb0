// What can be wrong with a certificate, a request for one, or a file of a CA.

/// Why a certificate, a request or a file was refused; one sentence, with what to do.
public enum PKIError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Not a certificate that fits its place in a chain: unreadable, wrong key, wrong basic constraints.
    case certificate(String)
    /// A certificate of the right shape whose SPIFFE ID, tags or namespaces are missing or malformed.
    case identity(String)
    /// Something asked for that cannot be issued.
    case request(String)
    /// A file or folder: its path, what is wrong with it, what would mend it.
    case file(path: String, problem: String, mend: String)

    public var description: String {
        switch self {
        case .certificate(let text), .identity(let text), .request(let text): text
        case .file(let path, let problem, let mend): "\(path): \(problem); \(mend)"
        }
    }
}

extension StringProtocol {
    /// The text in quotes for a message: at most 80 characters, control characters escaped, since it may
    /// come from a peer and end in a log.
    package var quoted: String {
        count > 80 ? "\(String(prefix(80)).debugDescription)…" : String(self).debugDescription
    }
}
