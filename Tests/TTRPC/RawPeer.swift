// The other end of a connection, byte by byte.

import Foundation
import Linux
import Support
import SallyportProtocol
import TTRPC

/// A socket on which a test sends any bytes and reads frames. Blocks threads of its own only.
final class RawPeer: Sendable {
    private let descriptor: Descriptor

    init(owning raw: Int32) { descriptor = Descriptor(owning: raw) }

    /// Sends all of `bytes`.
    func send(_ bytes: [UInt8]) async throws {
        try await onThread { [self] in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = try rest.withUnsafeBytes { buffer in
                    try syscall("send") { Glibc.send(descriptor.raw, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL)) }
                }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// The next frame; nil when the other end has closed.
    func receive() async throws -> Frame? {
        try await onThread { [self] in
            guard let header = FrameHeader(bytes: try read(FrameHeader.size)) else { return nil }
            return Frame(stream: header.stream, type: header.type, flags: header.flags, payload: try read(Int(header.length)))
        }
    }

    private func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let got = try bytes.withUnsafeMutableBytes { buffer in
                try syscall("recv") { recv(descriptor.raw, buffer.baseAddress?.advanced(by: have), count - have, 0) }
            }
            if got == 0 { break }
            have += got
        }
        return Array(bytes[..<have])
    }

    /// Sends nothing more, or with `SHUT_RDWR` ends the connection.
    func shut(_ how: Int) { shutdown(descriptor.raw, Int32(how)) }
}

extension Frame {
    /// A request of the streaming service with a payload in hex.
    static func request(
        _ id: UInt32, _ method: String, _ payload: String = "", flags: FrameFlags = [], timeout: Int64 = 0
    ) throws -> [UInt8] {
        var request = Ttrpc_Request()
        request.service = streamingService
        request.method = method
        request.payload = Data(bytes(hex: payload))
        request.timeoutNano = timeout
        return Frame(stream: id, type: .request, flags: flags, payload: try request.serializedBytes()).encoded
    }

    static func data(_ id: UInt32, _ payload: String = "", flags: FrameFlags = []) -> [UInt8] {
        Frame(stream: id, type: .data, flags: flags, payload: bytes(hex: payload)).encoded
    }
}

/// The bytes that `hex` writes, two digits each.
func bytes(hex: String) -> [UInt8] {
    let digits = hex.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
