// The enforcers' session inside another: TLS to a load balancer that ends it, and passes on what is inside.

import Linux

/// Sessions of `inner` that travel inside sessions of `outer`, both as a client. The outer one ends at the load balancer; the
/// inner one goes through it, end to end. When the inner one is left (docs/protocol.md, "Inner TLS"), the outer one stays.
public final class EnvelopedContext: TLSContext {
    private let outer: any TLSContext
    private let inner: any TLSContext
    /// Through which the inner sessions of this thread read and write: what is on it between two calls is nobody's.
    private let innerWire: UnsafeMutablePointer<TLSWire>

    /// - Parameter innerWire: The thread's second wire, with its own `verifyPeer`.
    public init(outer: any TLSContext, inner: any TLSContext, innerWire: UnsafeMutablePointer<TLSWire>) {
        self.outer = outer
        self.inner = inner
        self.innerWire = innerWire
    }

    private final class Session {
        let outer: TLSHandle
        let inner: TLSHandle
        /// The outer handshake is complete.
        var isEnveloped = false
        /// What came out of the outer session and the inner one has not taken yet.
        var pending: [UInt8] = []
        var receivesInner = true
        var sendsInner = true
        var sendsOuter = true

        init(outer: TLSHandle, inner: TLSHandle) {
            self.outer = outer
            self.inner = inner
        }
    }

    public func open(on wire: UnsafeMutablePointer<TLSWire>, binding: [UInt8], ticket: TLSTicket?) -> TLSHandle? {
        guard let outside = outer.open(on: wire, binding: [], ticket: nil) else { return nil }
        guard let inside = inner.open(on: innerWire, binding: binding, ticket: ticket) else {
            outer.free(outside)
            return nil
        }
        return OpaquePointer(Unmanaged.passRetained(Session(outer: outside, inner: inside)).toOpaque())
    }

    public func free(_ handle: TLSHandle) {
        let session = Unmanaged<Session>.fromOpaque(UnsafeRawPointer(handle)).takeRetainedValue()
        inner.free(session.inner)
        outer.free(session.outer)
    }

    private func session(_ handle: TLSHandle) -> Session {
        Unmanaged<Session>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
    }

    public func handshake(_ handle: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) -> TLSStep {
        let session = session(handle)
        if !session.isEnveloped {
            let step = outer.handshake(session.outer, wire)
            guard case .done = step else { return step }
            session.isEnveloped = true
        }
        return inside(session, wire) { inner.handshake(session.inner, innerWire) }
    }

    public func read(
        _ handle: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, into buffer: UnsafeMutablePointer<UInt8>, capacity: Int
    ) -> TLSStep {
        let session = session(handle)
        if session.receivesInner { return inside(session, wire) { inner.read(session.inner, innerWire, into: buffer, capacity: capacity) } }
        if session.pending.isEmpty {
            return outer.read(session.outer, wire, into: buffer, capacity: capacity)
        }
        let count = min(capacity, session.pending.count)
        session.pending.withUnsafeBufferPointer { if let base = $0.baseAddress { buffer.update(from: base, count: count) } }
        session.pending.removeFirst(count)
        return .done(count)
    }

    public func write(
        _ handle: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, from buffer: UnsafePointer<UInt8>, count: Int
    ) -> TLSStep {
        let session = session(handle)
        if !session.sendsInner { return outer.write(session.outer, wire, from: buffer, count: count) }
        innerWire.pointee.clear()
        let step = inner.write(session.inner, innerWire, from: buffer, count: count)
        return wrap(session, wire) ? step : .failed
    }

    /// The inner session first; said again, the outer one.
    public func closeNotify(_ handle: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) {
        let session = session(handle)
        guard session.sendsInner else {
            if session.sendsOuter { outer.closeNotify(session.outer, wire) }
            session.sendsOuter = false
            return
        }
        innerWire.pointee.clear()
        inner.closeNotify(session.inner, innerWire)
        _ = wrap(session, wire)
        session.sendsInner = false
    }

    public var isEnvelope: Bool { true }
    public func stillSends(_ handle: TLSHandle) -> Bool { true }

    public func leavesInner(_ handle: TLSHandle) -> Bool {
        let session = session(handle)
        defer { session.receivesInner = false }
        return session.receivesInner
    }

    public func isEnveloped(_ handle: TLSHandle) -> Bool { session(handle).isEnveloped }

    public func sendAlert(_ code: UInt8, _ handle: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) {
        let session = session(handle)
        innerWire.pointee.clear()
        inner.sendAlert(code, session.inner, innerWire)
        _ = wrap(session, wire)
    }

    public func details(_ handle: TLSHandle) -> TLSDetails { inner.details(session(handle).inner) }
    public func peerChain(_ handle: TLSHandle) -> [[UInt8]] { inner.peerChain(session(handle).inner) }

    /// Lets the inner session work on what the outer one brings, until it is done or nothing more comes.
    private func inside(_ session: Session, _ wire: UnsafeMutablePointer<TLSWire>, _ work: () -> TLSStep) -> TLSStep {
        innerWire.pointee.clear()
        unload(session)
        defer {
            let rest = innerWire.pointee.inputEnd - innerWire.pointee.inputStart
            session.pending = Array(UnsafeBufferPointer(start: innerWire.pointee.input + innerWire.pointee.inputStart, count: rest)) + session.pending
            wire.pointee.receivedTicket = innerWire.pointee.receivedTicket ?? wire.pointee.receivedTicket
            innerWire.pointee.receivedTicket = nil
        }
        while true {
            let step = work()
            if !wrap(session, wire) { return .failed }
            guard step == .needsInput else {
                if step == .failed { wire.pointee.failure = innerWire.pointee.failure }
                return step
            }
            let read = outer.read(session.outer, wire, into: innerWire.pointee.input, capacity: TLSWire.bufferSize)
            guard case .done(let count) = read else {
                // Whoever ends the outer session is not who may end the inner one.
                if read == .closed { wire.pointee.failure = TLSFailure(.truncated, "the load balancer ended its TLS inside the enforcers' session") }
                return read == .closed ? .failed : read
            }
            innerWire.pointee.inputStart = 0
            innerWire.pointee.inputEnd = count
        }
    }

    /// Puts what is pending before the inner session, as much as its wire takes.
    private func unload(_ session: Session) {
        let count = min(session.pending.count, TLSWire.bufferSize)
        session.pending.withUnsafeBufferPointer { if let base = $0.baseAddress { innerWire.pointee.input.update(from: base, count: count) } }
        session.pending.removeFirst(count)
        innerWire.pointee.inputStart = 0
        innerWire.pointee.inputEnd = count
    }

    /// Sends what the inner session has to say inside the outer one.
    private func wrap(_ session: Session, _ wire: UnsafeMutablePointer<TLSWire>) -> Bool {
        let count = innerWire.pointee.outputCount
        innerWire.pointee.outputCount = 0
        if count == 0 { return true }
        return outer.write(session.outer, wire, from: innerWire.pointee.output, count: count).isDone
    }
}
