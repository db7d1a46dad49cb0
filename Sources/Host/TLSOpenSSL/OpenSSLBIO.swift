// OpenSSL's view of a wire: reads take from its input, writes put into its output.

internal import COpenSSL
import TLSEngine

/// The BIO over `wire`, with one more reference for a session to own.
func opensslBIO(over wire: UnsafeMutablePointer<TLSWire>) -> OpaquePointer? {
    if wire.pointee.opensslBIO == nil {
        guard let method = opensslMethod.raw, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, wire)
        BIO_set_init(bio, 1)
        wire.pointee.opensslBIO = bio
    }
    guard let bio = wire.pointee.opensslBIO else { return nil }
    BIO_up_ref(bio)
    return bio
}

/// Made once and only read afterwards.
private struct OpenSSLMethod: @unchecked Sendable {  // safe: the method is immutable once made
    let raw: OpaquePointer?

    init() {
        raw = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire")
        BIO_meth_set_read(raw) { bio, buffer, count in
            guard let bio, let buffer, let data = BIO_get_data(bio) else { return -1 }
            copenssl_clear_retry(bio)
            let taken = data.assumingMemoryBound(to: TLSWire.self).pointee.take(buffer, Int(count))
            if taken == 0 {
                copenssl_retry_read(bio)
                return -1
            }
            return Int32(taken)
        }
        BIO_meth_set_write(raw) { bio, buffer, count in
            guard let bio, let buffer, let data = BIO_get_data(bio) else { return -1 }
            copenssl_clear_retry(bio)
            let put = data.assumingMemoryBound(to: TLSWire.self).pointee.put(buffer, Int(count))
            if put == 0 && count > 0 {
                copenssl_retry_write(bio)
                return -1
            }
            return Int32(put)
        }
        BIO_meth_set_ctrl(raw) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    }
}

private let opensslMethod = OpenSSLMethod()
