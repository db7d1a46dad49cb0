// A chain and its key, checked to belong together.

import FoundationEssentials
import PKI
import SwiftASN1
import X509

/// What a public port can serve.
struct CertificatePair: Equatable, Sendable {
    /// DER, the leaf first.
    let chain: [[UInt8]]
    /// DER PKCS#8.
    let privateKey: [UInt8]
    /// When all of the chain is in date, in seconds since 1970.
    let notBefore: Int64
    let notAfter: Int64

    /// More is no chain, but a bundle of roots put in its place.
    static let longestChain = 10

    /// - Parameters:
    ///   - certificate: PEM of the leaf, then of each issuer; the root may be left out, or be last.
    ///   - place: Where that is from, for messages: "tls.certificate" or a path.
    ///   - key: PEM.
    init(certificate: String, place: String, key: String, keyPlace: String) throws(CertificateFault) {
        let blocks = PEMBlock.all(in: certificate).filter(\.isCertificate)
        guard !blocks.isEmpty else { throw CertificateFault("\(place) holds no certificate in PEM") }
        guard blocks.count <= Self.longestChain else {
            throw CertificateFault("\(place) holds \(blocks.count) certificates, where only the server's and its issuers' belong")
        }
        var certificates: [Certificate] = []
        for (index, block) in blocks.enumerated() {
            guard let der = block.der, let read = try? Certificate(derEncoded: der) else {
                throw CertificateFault("certificate \(index + 1) of \(blocks.count) in \(place) is damaged, or of an unknown algorithm")
            }
            certificates.append(read)
        }
        let read = try ServerKey(pem: key, place: keyPlace)
        let chain = Chain(certificates, place: place)
        try chain.check(leafKey: read.publicKey, keyPlace: keyPlace)
        self.chain = blocks.compactMap(\.der)
        privateKey = read.der
        notBefore = certificates.map { Int64($0.notValidBefore.timeIntervalSince1970) }.max() ?? 0
        notAfter = certificates.map { Int64($0.notValidAfter.timeIntervalSince1970) }.min() ?? 0
    }
}

/// The certificates of a text, in its order.
private struct Chain {
    let certificates: [Certificate]
    let place: String

    init(_ certificates: [Certificate], place: String) {
        self.certificates = certificates
        self.place = place
    }

    /// That the key is the first one's, and each is issued by the next.
    func check(leafKey: Certificate.PublicKey, keyPlace: String) throws(CertificateFault) {
        guard let leaf = certificates.firstIndex(where: { $0.publicKey == leafKey }) else {
            throw CertificateFault("the key in \(keyPlace) is not that of the certificate \(name(0)) in \(place)")
        }
        let linked = certificates.indices.dropLast().allSatisfy { isIssued($0, by: $0 + 1) }
        if leaf == 0 && linked { return }
        let order = order(from: leaf)
        guard order.count == certificates.count else {
            // Where the chain from the server's own certificate stops, and what is left over.
            let end = order[order.count - 1]
            throw CertificateFault(
                "\(place): none of the other certificates issued \(name(end)), whose issuer is \(issuer(end)); put in that one, and take out what is no issuer"
            )
        }
        throw CertificateFault("the certificates in \(place) are in the wrong order; the right one is \(order.map { name($0) }.joined(separator: ", "))")
    }

    /// Each certificate, then its issuer, as far as there is one.
    private func order(from leaf: Int) -> [Int] {
        var order = [leaf]
        while let last = order.last, let next = certificates.indices.first(where: { !order.contains($0) && isIssued(last, by: $0) }) {
            order.append(next)
        }
        return order
    }

    private func isIssued(_ index: Int, by issuer: Int) -> Bool {
        let (below, above) = (certificates[index], certificates[issuer])
        return below.issuer == above.subject && above.publicKey.isValidSignature(below.signature, for: below)
    }

    private func name(_ index: Int) -> String {
        let subject = certificates[index].subject
        if !subject.isEmpty { return "\(subject)".quoted }
        let names = (try? certificates[index].extensions.subjectAlternativeNames) ?? nil
        return (names?.first.map { "\($0)" } ?? "number \(index + 1)").quoted
    }

    private func issuer(_ index: Int) -> String { "\(certificates[index].issuer)".quoted }
}
