// The functions of plugin.h that plugins in this process call. They find the instance by number, so that a
// plugin which calls late, or with another instance's context, reaches nothing.

import CSallyportPlugin
import Linux
import Synchronization
import TTRPC

/// The one table of this process, which stays valid for its life.
nonisolated(unsafe) let hostTable: UnsafePointer<sallyport_host_v1> = {  // safe: written here, before anybody sees it, and never again
    let table = UnsafeMutablePointer<sallyport_host_v1>.allocate(capacity: 1)
    table.initialize(
        to: sallyport_host_v1(
            magic: SALLYPORT_PLUGIN_MAGIC, abi_major: UInt16(SALLYPORT_ABI_MAJOR), abi_minor: UInt16(SALLYPORT_ABI_MINOR),
            struct_size: UInt32(MemoryLayout<sallyport_host_v1>.size), reserved: 0,
            alloc: { malloc($0) },
            free: { free($0) },
            log: { context, level, text, size in
                Instances.find(context)?.log.log(level, hostText(text, min(size, longestLogLine)))
            },
            stream_send: { context, call, message, size, flags in
                guard let instance = Instances.find(context), let open = instance.call(call) else { return SALLYPORT_CANCELLED }
                guard size <= SALLYPORT_MESSAGE_MAX else {
                    instance.forget(call)
                    open.oversized(size)
                    return SALLYPORT_RESOURCE_EXHAUSTED
                }
                let bytes = [UInt8](UnsafeBufferPointer(start: message, count: message == nil ? 0 : size))
                return open.take(bytes, waits: flags & SALLYPORT_DONT_WAIT == 0)
            },
            stream_close: { context, call, code, text, size in
                guard let instance = Instances.find(context), let open = instance.call(call) else { return }
                instance.forget(call)
                open.close(outcome(code, hostText(text, min(size, longestLogLine))))
            },
            cancelled: { context, call in Instances.find(context)?.call(call) == nil ? 1 : 0 }))
    return UnsafePointer(table)
}()

/// Bytes of a log line, and of an error's sentence.
let longestLogLine = 8192

/// Text that a plugin lends; what is no UTF-8 in it is shown as U+FFFD.
func hostText(_ text: UnsafePointer<CChar>?, _ size: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: text, count: text == nil ? 0 : size), as: UTF8.self)
}

/// How a call ended, from what the plugin says. A code that gRPC does not have is `unknown`.
func outcome(_ code: Int32, _ text: String) -> RPCError? {
    code == SALLYPORT_OK ? nil : RPCError(RPCCode(rawValue: code) ?? .unknown, text)
}

/// The instances in this process, by the number that their plugins know as `context`.
enum Instances {
    private struct State: Sendable {
        var instances: [UInt: InProcessPlugin] = [:]
        var last: UInt = 0
    }

    private static let state = Mutex(State())

    /// Lists `instance` until `remove`.
    static func add(_ instance: InProcessPlugin) -> UInt {
        state.withLock { state in
            state.last += 1
            state.instances[state.last] = instance
            return state.last
        }
    }

    static func remove(_ number: UInt) { _ = state.withLock { $0.instances.removeValue(forKey: number) } }

    static func find(_ context: UnsafeMutableRawPointer?) -> InProcessPlugin? {
        state.withLock { $0.instances[UInt(bitPattern: context)] }
    }
}
