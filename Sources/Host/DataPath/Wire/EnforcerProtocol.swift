// `sallyport/1`: the messages two enforcers exchange before a flow's bytes. docs/protocol.md, "sallyport/1".

import Linux
import Policy
import SallyportProtocol
import SwiftProtobuf

package typealias Preface = Sallyport_Wire_V1_Preface
package typealias Answer = Sallyport_Wire_V1_Answer

package enum EnforcerProtocol {
    /// The ALPN protocol (RFC 7301).
    package static let name: StaticString = "sallyport/1"
    package static let version: UInt32 = 1
    /// Most bytes of a message, without its two-byte length.
    package static let messageLimit = 4096

    /// A message behind its length, as it goes on the wire; nil if it is over the limit.
    package static func frame(_ message: some Message) -> [UInt8]? {
        guard let bytes: [UInt8] = try? message.serializedBytes(), bytes.count <= messageLimit else { return nil }
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes
    }

    /// A message at the beginning of what has arrived.
    package enum Parsed<Content: Message> {
        case incomplete
        /// With the bytes it took, length included.
        case message(Content, length: Int)
        case malformed(String)
    }

    package static func parse<Content: Message>(_ type: Content.Type, _ bytes: UnsafeBufferPointer<UInt8>) -> Parsed<Content> {
        if bytes.count < 2 { return .incomplete }
        let size = Int(bytes[0]) << 8 | Int(bytes[1])
        if size > messageLimit { return .malformed("a message of \(size) bytes, over the limit of \(messageLimit)") }
        if bytes.count < size + 2 { return .incomplete }
        guard let content = try? Content(serializedBytes: Array(bytes[2..<(2 + size)])) else {
            return .malformed("a message that does not decode")
        }
        return .message(content, length: size + 2)
    }

    /// Checks what a preface must have, whoever sent it.
    /// - Returns: What is wrong; nil if nothing is.
    package static func problem(in preface: Preface) -> String? {
        if preface.version != version { return "preface version \(preface.version); this enforcer speaks \(version)" }
        if IPAddress(bytes: preface.dialledAddress) == nil { return "a dialled address of \(preface.dialledAddress.count) bytes" }
        if preface.dialledPort == 0 || preface.dialledPort > 65535 { return "dialled port \(preface.dialledPort)" }
        if IPAddress(bytes: preface.clientAddress) == nil { return "a client address of \(preface.clientAddress.count) bytes" }
        if preface.clientPort > 65535 { return "client port \(preface.clientPort)" }
        if preface.traceID.count != 16 { return "a trace id of \(preface.traceID.count) bytes" }
        switch preface.mode {
        case .wrapped, .innerTls, .deferred: return nil
        case .unspecified, .UNRECOGNIZED: return "mode \(preface.mode.rawValue)"
        }
    }
}
