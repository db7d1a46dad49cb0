// Frames in and out of one connected socket, and the clocks that watch the other end.

import Linux

/// A connected stream socket that carries frames. It belongs to one actor of the loop and is used on its thread only.
final class FramedSocket {
    private let descriptor: Descriptor
    private let loop: EventLoop
    private let limits: TTRPCLimits
    private var decoder: FrameDecoder
    private var outbox = Outbox()
    /// Nil before `attach`.
    private var token: UInt64?
    private var interest = EPOLLIN.rawValue
    /// When the frame that is arriving began, or reading was resumed within it.
    private var frameBegan: UInt64?
    /// When the other end last took bytes while some were waiting.
    private var lastTaken: UInt64 = 0

    /// Whether to read: off, the kernel's buffer fills and the other end has to wait.
    var isReading = true {
        didSet {
            guard isReading != oldValue else { return }
            frameBegan = isReading && decoder.isWithinFrame ? clinux_monotonic() : nil
            updateInterest()
        }
    }

    init(owning descriptor: consuming Descriptor, loop: EventLoop, limits: TTRPCLimits) {
        self.descriptor = descriptor
        self.loop = loop
        self.limits = limits
        decoder = FrameDecoder(limit: limits.messageBytes)
    }

    deinit { if let token { loop.remove(descriptor.raw, token: token) } }

    /// Has the loop call `ready` from now on with what epoll(7) says about the socket.
    func attach(_ ready: @escaping @Sendable (UInt32) -> Void) throws(SystemCallError) {
        token = try loop.add(descriptor.raw, events: interest, ready)
    }

    /// Bytes that the kernel has not taken yet.
    var queuedBytes: Int { outbox.count }

    // MARK: Reading

    enum Input {
        /// What has arrived, which may be nothing.
        case frames([FrameDecoder.Output])
        /// The other end sends nothing more.
        case ended
        case failed(TTRPCEnding)
    }

    /// Reads once, so that every connection gets its turn; the loop comes back while there is more.
    func read() -> Input {
        let chunk = 1 << 16
        return withUnsafeTemporaryAllocation(byteCount: chunk, alignment: 1) { buffer in
            let count: Int
            do throws(SystemCallError) {
                count = try syscall("recv") { recv(descriptor.raw, buffer.baseAddress, chunk, Int32(MSG_DONTWAIT)) }
            } catch {
                return error.errno == EAGAIN ? .frames([]) : .failed(TTRPCEnding(error))
            }
            if count == 0 { return .ended }
            var outputs: [FrameDecoder.Output] = []
            decoder.decode(UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes) { outputs.append($0) }
            if !decoder.isWithinFrame {
                frameBegan = nil
            } else if !outputs.isEmpty || frameBegan == nil {
                frameBegan = clinux_monotonic()
            }
            return .frames(outputs)
        }
    }

    // MARK: Writing

    /// Sends a frame, or keeps it until the socket takes it.
    /// - Returns: Why the connection is at its end, if it is.
    func write(_ frame: Frame) -> TTRPCEnding? {
        let wasBlocked = outbox.count > 0
        if !wasBlocked { lastTaken = clinux_monotonic() }
        outbox.append(frame)
        return wasBlocked ? nil : flush()
    }

    /// Sends what is waiting, as far as the socket takes it.
    /// - Returns: Why the connection is at its end, if it is.
    func flush() -> TTRPCEnding? {
        defer { updateInterest() }
        while outbox.count > 0 {
            do throws(SystemCallError) {
                let count = try syscall("send") {
                    outbox.withPending {
                        send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                    }
                }
                outbox.drop(count)
                lastTaken = clinux_monotonic()
            } catch {
                return error.errno == EAGAIN ? nil : TTRPCEnding(error)
            }
        }
        return nil
    }

    /// Forgets what is waiting: the other end will never take it.
    func dropOutput() {
        outbox.removeAll()
        updateInterest()
    }

    // MARK: Waiting

    private func updateInterest() {
        setInterest((isReading ? EPOLLIN.rawValue : 0) | (outbox.count > 0 ? EPOLLOUT.rawValue : 0))
    }

    private func setInterest(_ events: UInt32) {
        guard events != interest, let token else { return }
        interest = events
        loop.change(descriptor.raw, token: token, events: events)
    }

    /// Stops the reports of a hang-up, which epoll makes unasked, until there is an interest again: a one-shot
    /// registration is silent once it has fired, epoll_ctl(2).
    func silence() { setInterest(EPOLLONESHOT.rawValue) }

    // MARK: The watch on the other end

    /// When to look at `overdue` next; nil while nothing is expected of the other end.
    var watchUntil: UInt64? {
        let frame = frameBegan.map { $0 + limits.frameTimeout.nanoseconds }
        let taking = outbox.count > 0 ? lastTaken + limits.stallTimeout.nanoseconds : nil
        return [frame, taking].compactMap { $0 }.min()
    }

    /// What the other end has failed to do in time.
    func overdue(_ now: UInt64) -> TTRPCEnding? {
        if let frameBegan, now >= frameBegan + limits.frameTimeout.nanoseconds { return .unfinishedFrame }
        if outbox.count > 0, now >= lastTaken + limits.stallTimeout.nanoseconds { return .notRead }
        return nil
    }
}
