// Two sessions joined in memory: what one puts on its wire the other finds on its own.

import Identity
import Support
import TLSBoringSSL
import TLSEngine
import Testing

/// One end: a context, a session of it, and the wire it is on.
final class SessionEnd {
    let context: any TLSContext
    let wire = TLSWire.make()
    let session: TLSHandle
    private let plain = UnsafeMutablePointer<UInt8>.allocate(capacity: TLSWire.plaintextSize)

    init(_ context: any TLSContext, binding: [UInt8] = [], ticket: TLSTicket? = nil, verifier: PeerVerifier? = nil) throws {
        self.context = context
        wire.pointee.verifyPeer = { chain in
            guard let verifier else { return .accepted }
            switch verifier.verify(chain: chain, now: TestAuthority.now) {
            case .success: return .accepted
            case .failure: return .refused(alert: 42)
            }
        }
        session = try #require(context.open(on: wire, binding: binding, ticket: ticket))
    }

    deinit {
        context.free(session)
        plain.deallocate()
    }

    /// Takes what the other end has put on its wire, at most `limit` bytes of it.
    func receive(from other: SessionEnd) {
        let count = other.wire.pointee.outputCount
        wire.pointee.input.update(from: other.wire.pointee.output, count: count)
        wire.pointee.inputStart = 0
        wire.pointee.inputEnd = count
        other.wire.pointee.outputCount = 0
    }

    func read(capacity: Int = TLSWire.plaintextSize) -> (TLSStep, [UInt8]) {
        let step = context.read(session, wire, into: plain, capacity: capacity)
        guard case .done(let count) = step else { return (step, []) }
        return (step, Array(UnsafeBufferPointer(start: plain, count: count)))
    }

    func write(_ bytes: [UInt8]) -> TLSStep { context.write(session, wire, from: bytes, count: bytes.count) }
}

/// Runs a handshake to its end; returns what either side came to.
func handshake(_ client: SessionEnd, _ server: SessionEnd) -> (client: TLSStep, server: TLSStep) {
    var (clientStep, serverStep) = (TLSStep.needsInput, TLSStep.needsInput)
    for _ in 0..<6 where clientStep == .needsInput || serverStep == .needsInput {
        if clientStep == .needsInput {
            clientStep = client.context.handshake(client.session, client.wire)
            server.receive(from: client)
        }
        if serverStep == .needsInput {
            serverStep = server.context.handshake(server.session, server.wire)
            client.receive(from: server)
        }
    }
    return (clientStep, serverStep)
}
