// Why a peer's certificate was refused.

import SallyportProtocol

/// A peer that could not be identified; one sentence for the flow's record.
public enum IdentityError: Error, Equatable, Sendable, CustomStringConvertible {
    case expired(String)
    case notYetValid(String)
    /// The chain does not lead to a trusted root of our trust domain, or a certificate in it is not of the profile.
    case untrusted(String)
    /// Who the certificate names is missing, malformed, or outside what its enforcer may speak for.
    case identity(String)
    /// The peer presented none.
    case missing

    public var description: String {
        switch self {
        case .expired(let text), .notYetValid(let text), .untrusted(let text), .identity(let text): text
        case .missing: "the peer presented no certificate"
        }
    }

    /// The name of this refusal in flow records.
    public var reason: Sallyport_Flow_V1_Reason {
        switch self {
        case .expired: .certificateExpired
        case .notYetValid: .certificateNotYetValid
        case .untrusted: .certificateUntrusted
        case .identity: .certificateIdentity
        case .missing: .certificateMissing
        }
    }
}
