// DER `SEQUENCE OF UTF8String`, the form of both of Sallyport's extensions.

import SwiftASN1
import X509

enum TextSequence {
    static func encode(_ texts: [String]) throws -> ArraySlice<UInt8> {
        var serializer = DER.Serializer()
        try serializer.appendConstructedNode(identifier: .sequence) { coder in
            for text in texts { try coder.serialize(ASN1UTF8String(text)) }
        }
        return serializer.serializedBytes[...]
    }

    /// - Parameter maximum: How many texts to accept.
    /// - Throws: `PKIError.identity`, which begins with `what`.
    static func decode(_ der: ArraySlice<UInt8>, maximum: Int, what: String) throws(PKIError) -> [String] {
        do {
            return try DER.sequence(try DER.parse(der), identifier: .sequence) { nodes in
                var texts: [String] = []
                while let node = nodes.next() {
                    let bytes = try ASN1UTF8String(derEncoded: node).bytes
                    guard let text = String(validating: bytes, as: UTF8.self) else {
                        throw PKIError.identity("\(what) holds text that is not UTF-8")
                    }
                    guard texts.count < maximum else { throw PKIError.identity("\(what) holds more than \(maximum) entries") }
                    texts.append(text)
                }
                return texts
            }
        } catch let error as PKIError {
            throw error
        } catch {
            throw .identity("\(what) is not a DER sequence of UTF-8 strings")
        }
    }
}
