// One of the two sockets of a connection, with what is known of it.

import Linux
import TLSEngine

/// A socket of a connection: the one that was accepted, or the one that was dialled.
struct Leg {
    var fd: Int32 = -1
    var context: (any TLSContext)?
    var session: TLSHandle?
    /// What is received, and sent, is inside the TLS session. Each direction leaves it by itself (inner TLS).
    var receivesTLS = false
    var sendsTLS = false
    /// As far as is known: epoll tells of edges only, epoll(7).
    var readable = false
    var writable = false
    /// By which epoll's events name it.
    var token: UInt64 = 0
    /// epoll tells when it is writable again.
    var watchesRoom = false
    /// epoll has told that nothing comes behind what is in the socket now.
    var hungUp = false
    /// Its FIN is in the socket, behind what can still be read; no reset.
    var isEnding = false
    /// The end of what it sends has been read.
    var ended = false
    /// The end of what it receives has been written.
    var shut = false
    /// Its last read was a long one: splice(2) is tried.
    var sendsBulk = false
    /// What it would not take yet: as it goes on the wire.
    var parked = HeldBytes()
    /// Most bytes to read for it at once; few while it is slow.
    var readLimit = Leg.usualReadLimit
    /// Bytes it has taken since it last took less than it was given.
    var takenInARow: UInt64 = 0

    /// A pipe of the pool with bytes read from this leg and not yet written to the other; nil while not splicing.
    var pipe: SplicePipe?

    static let usualReadLimit = 256 * 1024
    var isOpen: Bool { fd >= 0 }
}

/// A pipe on loan from the worker's pool.
struct SplicePipe {
    let read: Int32
    let write: Int32
    /// Bytes inside.
    var count = 0
}
