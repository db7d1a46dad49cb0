// A host small enough to see through: it keeps what the plugin sends and lets the test wait for it.

import CSallyportPlugin
import Linux
import PluginKit
import SallyportProtocol
import SwiftProtobuf
import Synchronization

final class FakeHost: Sendable {
    struct Answer: Sendable {
        var messages: [[UInt8]] = []
        var code: Int32?
        var text = ""
    }

    struct State: Sendable {
        var answers: [UInt64: Answer] = [:]
        var logged: [String] = []
        /// Messages a stream may still send before it is told to wait.
        var room: Int
        var refused = 0
        var lastCall: UInt64 = 0
    }

    struct NoPlugin: Error {}

    private let plugin: sallyport_plugin_v1
    nonisolated(unsafe) private let instance: UnsafeMutableRawPointer  // the plugin's own; only passed back
    private let shared: Shared

    /// What the C functions reach through `context`; lives as long as the test process.
    final class Shared: Sendable {
        let state: Mutex<State>
        init(room: Int) { state = Mutex(State(room: room)) }
    }

    init<P: Plugin>(_ type: P.Type, room: Int = .max) throws {
        shared = Shared(room: room)
        let context = Unmanaged.passRetained(shared).toOpaque()
        guard let table = PluginEntry.make(type, FakeHost.sharedTable), let instance = table.pointee.create(table, FakeHost.sharedTable, context) else {
            throw NoPlugin()
        }
        plugin = table.pointee
        self.instance = instance
    }

    deinit { plugin.destroy(instance) }

    var logged: [String] { shared.state.withLock { $0.logged } }
    func messages(_ call: UInt64) -> [[UInt8]] { shared.state.withLock { $0.answers[call]?.messages ?? [] } }

    func start(_ service: String, _ method: String, bytes: [UInt8]) -> UInt64 {
        let id = shared.state.withLock { state in
            state.lastCall += 1
            return state.lastCall
        }
        var reply = sallyport_reply_v1()
        let code = service.withCString { service in
            method.withCString { method in
                bytes.withUnsafeBufferPointer { request in
                    var call = sallyport_call_v1(
                        id: id, deadline: 0, service: service, method: method, request: request.baseAddress, request_size: request.count)
                    return plugin.call(instance, &call, &reply)
                }
            }
        }
        if code != SALLYPORT_LATER {
            let bytes = [UInt8](UnsafeBufferPointer(start: reply.data, count: reply.size))
            free(reply.data)
            shared.state.withLock { $0.answers[id] = Answer(code: code, text: String(decoding: bytes, as: UTF8.self)) }
        }
        return id
    }

    func call(_ service: String, _ method: String, bytes: [UInt8]) async -> Answer { await end(of: start(service, method, bytes: bytes)) }

    func call(_ service: String, _ method: String, _ request: some Message) async -> Answer {
        await call(service, method, bytes: (try? request.serializedBytes()) ?? [])
    }

    func end(of call: UInt64) async -> Answer {
        await until { $0.answers[call]?.code != nil }
        return shared.state.withLock { $0.answers[call] ?? Answer() }
    }

    /// Comes back when `condition` holds; the suite's time limit bounds it.
    func until(_ condition: (State) -> Bool) async {
        while !shared.state.withLock({ condition($0) }) { await Task.yield() }
    }

    func cancel(_ call: UInt64) { plugin.cancel(instance, call) }

    func makeRoom(_ room: Int, for call: UInt64) {
        shared.state.withLock { $0.room += room }
        plugin.writable(instance, call)
    }

    // Written once, before the first plugin sees it.
    nonisolated(unsafe) private static let sharedTable: UnsafePointer<sallyport_host_v1> = {
        let pointer = UnsafeMutablePointer<sallyport_host_v1>.allocate(capacity: 1)
        pointer.initialize(to: table)
        return UnsafePointer(pointer)
    }()

    static var table: sallyport_host_v1 {
        sallyport_host_v1(
            magic: SALLYPORT_PLUGIN_MAGIC, abi_major: 1, abi_minor: 0, struct_size: UInt32(MemoryLayout<sallyport_host_v1>.size), reserved: 0,
            alloc: { malloc($0) }, free: { free($0) },
            log: { context, level, text, size in
                let bytes = UnsafeRawBufferPointer(start: text, count: size)
                state(context).state.withLock { $0.logged.append("\(level) \(String(decoding: bytes, as: UTF8.self))") }
            },
            stream_send: { context, call, message, size, flags in
                state(context).state.withLock { state in
                    if state.room == 0 {
                        state.refused += 1
                        return SALLYPORT_AGAIN
                    }
                    state.room -= 1
                    state.answers[call, default: Answer()].messages.append([UInt8](UnsafeBufferPointer(start: message, count: size)))
                    return SALLYPORT_OK
                }
            },
            stream_close: { context, call, code, text, size in
                let bytes = UnsafeRawBufferPointer(start: text, count: size)
                state(context).state.withLock {
                    $0.answers[call, default: Answer()].code = code
                    $0.answers[call, default: Answer()].text = String(decoding: bytes, as: UTF8.self)
                }
            },
            cancelled: { _, _ in 0 })
    }
}

private func state(_ context: UnsafeMutableRawPointer?) -> FakeHost.Shared {
    Unmanaged<FakeHost.Shared>.fromOpaque(context!).takeUnretainedValue()  // what `create` was given
}
