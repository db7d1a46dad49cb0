// BoringSSL's view of a wire: reads take from its input, writes put into its output.

internal import CNIOBoringSSL
import TLSEngine

/// The BIO over `wire`, with one more reference for a session to own.
func boringBIO(over wire: UnsafeMutablePointer<TLSWire>) -> OpaquePointer? {
    if wire.pointee.boringBIO == nil {
        guard let method = boringMethod.raw, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, wire)
        BIO_set_init(bio, 1)
        wire.pointee.boringBIO = bio
    }
    guard let bio = wire.pointee.boringBIO else { return nil }
    BIO_up_ref(bio)
    return bio
}

/// The wire behind a session.
func wire(of session: OpaquePointer?) -> UnsafeMutablePointer<TLSWire>? {
    guard let bio = SSL_get_rbio(session), let data = BIO_get_data(bio) else { return nil }
    return data.assumingMemoryBound(to: TLSWire.self)
}

/// Made once and only read afterwards.
private struct BoringMethod: @unchecked Sendable {  // safe: the method is immutable once made
    let raw: OpaquePointer?

    init() {
        raw = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire")
        BIO_meth_set_read(raw) { bio, buffer, count in
            guard let bio, let buffer, let data = BIO_get_data(bio) else { return -1 }
            BIO_clear_retry_flags(bio)
            let taken = data.assumingMemoryBound(to: TLSWire.self).pointee.take(buffer, Int(count))
            if taken == 0 {
                BIO_set_retry_read(bio)
                return -1
            }
            return Int32(taken)
        }
        BIO_meth_set_write(raw) { bio, buffer, count in
            guard let bio, let buffer, let data = BIO_get_data(bio) else { return -1 }
            BIO_clear_retry_flags(bio)
            let put = data.assumingMemoryBound(to: TLSWire.self).pointee.put(buffer, Int(count))
            if put == 0 && count > 0 {
                BIO_set_retry_write(bio)
                return -1
            }
            return Int32(put)
        }
        BIO_meth_set_ctrl(raw) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    }
}

private let boringMethod = BoringMethod()
