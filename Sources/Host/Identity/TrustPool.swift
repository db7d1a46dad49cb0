// The roots that peers are verified against.

import PKI

/// The enforcers' trust bundle, checked, never changed: a new bundle is a new object. It is separate from every service's own CAs.
public final class TrustPool: Sendable {
    /// Rises with every change of the bundle.
    public let generation: UInt64
    public let trustDomain: String
    /// DER; more than one while a rotation overlaps.
    public let roots: [[UInt8]]
    /// What each of `roots` says, in their order.
    let facts: [AuthorityFacts]

    /// - Parameter trustDomain: Of the bundle; empty takes it from the roots.
    /// - Throws: `IdentityError.untrusted` if there is no root, or one is malformed or of another trust domain. What was in
    ///   force should then stay so.
    public init(generation: UInt64, trustDomain: String, roots: [[UInt8]]) throws(IdentityError) {
        var facts: [AuthorityFacts] = []
        for (index, root) in roots.enumerated() {
            do {
                facts.append(try AuthorityFacts(decoding: root, as: .root))
            } catch {
                throw .untrusted("root \(index + 1) of the trust bundle: \(error)")
            }
        }
        guard let first = facts.first else { throw .untrusted("the trust bundle holds no root") }
        let domain = trustDomain.isEmpty ? first.trustDomain : trustDomain
        if let other = facts.first(where: { $0.trustDomain != domain }) {
            throw .untrusted("the trust bundle is of trust domain \(domain), and one of its roots of \(other.trustDomain)")
        }
        self.generation = generation
        self.trustDomain = domain
        self.roots = roots
        self.facts = facts
    }
}
