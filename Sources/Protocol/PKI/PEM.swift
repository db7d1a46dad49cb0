// Certificates and keys as text.

import Crypto
import SwiftASN1
import X509

extension Certificate {
    /// The certificates of a PEM text, in its order.
    /// - Throws: `PKIError.certificate` if one is unreadable, something else is among them, or there is none.
    static func all(pem: String) throws(PKIError) -> [Certificate] {
        var certificates: [Certificate] = []
        do {
            for document in try PEMDocument.parseMultiple(pemString: pem) {
                guard document.discriminator == defaultPEMDiscriminator else {
                    throw PKIError.certificate("it holds a \(document.discriminator.quoted) where only certificates belong")
                }
                certificates.append(try Certificate(derEncoded: document.derBytes))
            }
        } catch let error as PKIError {
            throw error
        } catch {
            throw .certificate("certificate \(certificates.count + 1) in it is not readable PEM")
        }
        guard !certificates.isEmpty else { throw .certificate("it holds no certificate") }
        return certificates
    }

    /// PEM, with a newline at its end.
    var pem: String {
        get throws { try serializeAsPEM().pemString + "\n" }
    }
}

extension P256.Signing.PrivateKey {
    /// - Throws: `PKIError.certificate` if the text is not one P-256 key in PKCS#8 or SEC 1 form.
    init(pem: String) throws(PKIError) {
        do {
            try self.init(pemRepresentation: pem)
        } catch {
            throw .certificate("it is not a PEM private key on the curve P-256")
        }
    }
}
