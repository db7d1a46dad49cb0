// A plugin in this process, on a thread of its own (docs/plugin-abi.md §§4-5).

import CSallyportPlugin
import Linux
import Synchronization
import TTRPC

/// An instance of a loaded plugin, as something calls can be made on.
public final class InProcessPlugin: RPCChannel {
    /// Calls that may wait for a plugin's thread to come back.
    static let mostWaiting = 64

    private struct State: Sendable {
        var calls: [UInt64: InProcessCall] = [:]
        var lastCall: UInt64 = 0
        /// Calls given to the thread that it has not begun.
        var waiting = 0
        /// What the thread is in, for the message when it does not come back.
        var running = ""
        var isClosed = false
    }

    /// What `create` returned. Only the plugin's thread uses it.
    private struct Instance: @unchecked Sendable {  // safe: an address that is only passed back to the plugin
        let address: UnsafeMutableRawPointer
    }

    let log: LogGate
    private let name: String
    private let thread: SerialThread
    private let library: PluginLibrary
    private let state = Mutex(State())
    private let instance = Mutex<Instance?>(nil)

    // MARK: Life

    /// Loads `file`, unless it is loaded already, and makes an instance.
    /// - Parameter limit: How long the plugin's code may take for that.
    /// - Throws: `PluginFault`, or `SystemCallError` if no thread can be had.
    public static func load(_ file: PluginFile, limit: Duration = .seconds(10), log: @escaping PluginLog) async throws -> InProcessPlugin {
        let thread = try SerialThread(name: file.name)
        let answer = FirstAnswer<Result<InProcessPlugin, PluginFault>>()
        thread.run {
            do throws(PluginFault) {
                let plugin = try InProcessPlugin(file, thread: thread, log: log)
                if !answer.give(.success(plugin)) { plugin.destroy() }
            } catch {
                answer.give(.failure(error))
                thread.stop()
            }
        }
        let late = PluginFault.overdue(name: file.name, step: "sallyport_plugin_entry and create")
        return try await answer.value(within: limit, late: .failure(late)).get()
    }

    /// On the plugin's thread.
    private init(_ file: PluginFile, thread: SerialThread, log: @escaping PluginLog) throws(PluginFault) {
        name = file.name
        self.thread = thread
        self.log = LogGate(log)
        library = try PluginLibrary(loading: file)
        let number = Instances.add(self)
        guard let address = library.table.pointee.create(library.table, hostTable, UnsafeMutableRawPointer(bitPattern: number)) else {
            Instances.remove(number)
            throw .createRefused(name: file.name)
        }
        instance.withLock { $0 = Instance(address: address) }
        self.number.store(number, ordering: .relaxed)
    }

    private let number = Atomic<UInt>(0)

    /// Ends every call and the instance; waits a second at most for the plugin's thread.
    public func close() async {
        let open: [InProcessCall]? = state.withLock { state in
            if state.isClosed { return nil }
            state.isClosed = true
            defer { state.calls = [:] }
            return Array(state.calls.values)
        }
        guard let open else { return }
        for call in open { call.abandon(RPCError(.unavailable, "\(name) was ended")) }
        let ended = FirstAnswer<Void>()
        thread.run {
            self.destroy()
            ended.give(())
        }
        await ended.value(within: .seconds(1), late: ())
    }

    /// On the plugin's thread.
    private func destroy() {
        if let instance = instance.withLock({ $0 }) { library.table.pointee.destroy(instance.address) }
        instance.withLock { $0 = nil }
        Instances.remove(number.load(ordering: .relaxed))
        thread.stop()
    }

    // MARK: RPCChannel

    public func call(service: String, method: String, request: [UInt8], timeout: Duration?) async throws -> [UInt8] {
        let call = try begin(service, method, request, timeout, isStream: false)
        defer { call.cancel("its caller has gone") }
        guard let reply = try await call.next() else { throw RPCError(.internal, "\(name) ended \(method) without an answer") }
        if try await call.next() != nil { throw RPCError(.internal, "\(name) answered \(method) more than once") }
        return reply
    }

    public func open(service: String, method: String, request: [UInt8]?, timeout: Duration?) async throws -> any RPCStream {
        guard let request else { throw RPCError(.unimplemented, "no method of a plugin takes a stream") }
        return try begin(service, method, request, timeout, isStream: true)
    }

    private func begin(
        _ service: String, _ method: String, _ request: [UInt8], _ timeout: Duration?, isStream: Bool
    ) throws(RPCError) -> InProcessStream {
        guard request.count <= SALLYPORT_MESSAGE_MAX else {
            throw RPCError(.resourceExhausted, "a request of \(request.count) bytes; the limit is \(SALLYPORT_MESSAGE_MAX)")
        }
        let id = try list(method)
        let call = InProcessCall(writable: { self.onThread { $0.writable?($1, id) } })
        state.withLock { $0.calls[id] = call }
        let deadline = timeout.map { clinux_monotonic() + $0.nanoseconds }
        thread.run { self.invoke(call, id, service, method, request, deadline, isStream: isStream) }
        return InProcessStream(call, timeout: timeout) { self.giveUp(id, call, $0) }
    }

    private func list(_ method: String) throws(RPCError) -> UInt64 {
        try state.withLock { (state: inout State) throws(RPCError) -> UInt64 in
            if state.isClosed { throw RPCError(.unavailable, "\(name) was ended") }
            guard state.waiting < InProcessPlugin.mostWaiting else {
                throw RPCError(.resourceExhausted, "\(name) does not come back from \(state.running): \(state.waiting) calls wait for it")
            }
            state.waiting += 1
            state.lastCall += 1
            return state.lastCall
        }
    }

    private func giveUp(_ id: UInt64, _ call: InProcessCall, _ error: RPCError) {
        guard call.abandon(error) else { return }
        forget(id)
        onThread { if call.wasBegun { $0.cancel($1, id) } }
    }

    // MARK: The plugin's thread

    private func onThread(_ body: @escaping @Sendable (sallyport_plugin_v1, UnsafeMutableRawPointer) -> Void) {
        thread.run {
            if let instance = self.instance.withLock({ $0 }) { body(self.library.table.pointee, instance.address) }
        }
    }

    private func invoke(
        _ open: InProcessCall, _ id: UInt64, _ service: String, _ method: String, _ request: [UInt8], _ deadline: UInt64?, isStream: Bool
    ) {
        state.withLock { state in
            state.waiting -= 1
            state.running = method
        }
        // Given up while it waited for the thread.
        guard let instance = instance.withLock({ $0 }), open.begin() else { return }
        var reply = sallyport_reply_v1()
        let code = service.withCString { service in
            method.withCString { method in
                request.withUnsafeBufferPointer { request in
                    var call = sallyport_call_v1(
                        id: id, deadline: deadline ?? 0, service: service, method: method,
                        request: request.baseAddress, request_size: request.count)
                    return library.table.pointee.call(instance.address, &call, &reply)
                }
            }
        }
        defer { free(reply.data) }
        if code == SALLYPORT_LATER { return }
        forget(id)
        let size = reply.data == nil ? 0 : reply.size
        guard code == SALLYPORT_OK else {
            let text = UnsafeRawBufferPointer(start: reply.data, count: min(size, longestLogLine))
            return open.close(outcome(code, String(decoding: text, as: UTF8.self)))
        }
        if size > SALLYPORT_MESSAGE_MAX { return open.oversized(size) }
        if isStream { return open.close(RPCError(.internal, "\(name) answered \(method) at once, and it is a stream")) }
        _ = open.take([UInt8](UnsafeBufferPointer(start: reply.data, count: size)), waits: false)
        open.close(nil)
    }

    // MARK: For the host's table

    func call(_ id: UInt64) -> InProcessCall? { state.withLock { $0.calls[id] } }

    func forget(_ id: UInt64) { _ = state.withLock { $0.calls.removeValue(forKey: id) } }
}
