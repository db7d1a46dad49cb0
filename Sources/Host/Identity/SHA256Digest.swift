// Digests as dictionary keys.

internal import CNIOBoringSSL

/// 32 bytes of SHA-256, in four words so that comparing and hashing touch no array.
public struct SHA256Digest: Hashable, Sendable, CustomStringConvertible {
    private let words: SIMD4<UInt64>

    /// Of one certificate.
    public init(of bytes: [UInt8]) {
        // These three always return 1 (sha2.h).
        self.init { SHA256_Update(&$0, bytes, bytes.count) }
    }

    /// Of several, each with its length before it, so that no two lists give the same bytes.
    public init(ofAll parts: [[UInt8]]) {
        self.init { state in
            for part in parts {
                var length = UInt64(part.count)
                SHA256_Update(&state, &length, MemoryLayout<UInt64>.size)
                SHA256_Update(&state, part, part.count)
            }
        }
    }

    private init(_ update: (inout SHA256_CTX) -> Void) {
        var state = SHA256_CTX()
        SHA256_Init(&state)
        update(&state)
        var words = SIMD4<UInt64>()
        withUnsafeMutableBytes(of: &words) {
            _ = SHA256_Final($0.baseAddress?.assumingMemoryBound(to: UInt8.self), &state)
        }
        self.words = words
    }

    public var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

    /// Lower-case hexadecimal digits.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
