// What is wrong with a certificate or its key.

/// One sentence for an operator, with what to do.
struct CertificateFault: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
