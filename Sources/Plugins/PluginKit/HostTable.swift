// The host's side of the C interface, as the plugin calls it.

import CSallyportPlugin
import Linux

/// The functions of the host, checked once to be there.
struct HostTable: @unchecked Sendable {  // safe: constant for the life of the process, and its functions may be called from any thread (docs/plugin-abi.md §4)
    // `context` is only passed back.
    private let table: sallyport_host_v1
    private let context: UnsafeMutableRawPointer?

    /// Whether the host speaks this ABI and offers all of version 1.0.
    static func isCompatible(_ host: UnsafePointer<sallyport_host_v1>) -> Bool {
        host.pointee.magic == SALLYPORT_PLUGIN_MAGIC && host.pointee.abi_major == SALLYPORT_ABI_MAJOR
            && host.pointee.struct_size >= SALLYPORT_HOST_SIZE_1_0
            && host.pointee.alloc != nil && host.pointee.free != nil && host.pointee.log != nil
            && host.pointee.stream_send != nil && host.pointee.stream_close != nil && host.pointee.cancelled != nil
    }

    /// - Precondition: `isCompatible(host)`.
    init(_ host: UnsafePointer<sallyport_host_v1>, context: UnsafeMutableRawPointer?) {
        table = host.pointee
        self.context = context
    }

    func log(_ level: PluginLogLevel, _ text: String) {
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { table.log(context, level.rawValue, $0.baseAddress, $0.count) }
        }
    }

    /// - Returns: A code of plugin.h; never waits.
    func send(_ call: UInt64, _ message: [UInt8]) -> Int32 {
        message.withUnsafeBufferPointer { table.stream_send(context, call, $0.baseAddress, $0.count, SALLYPORT_DONT_WAIT) }
    }

    func close(_ call: UInt64, _ code: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { table.stream_close(context, call, code, $0.baseAddress, $0.count) }
        }
    }

    /// Fills in an answer given at once; the memory becomes the host's.
    func reply(_ text: String, to reply: UnsafeMutablePointer<sallyport_reply_v1>) {
        guard !text.isEmpty, let memory = table.alloc(text.utf8.count) else { return }
        let buffer = UnsafeMutableRawBufferPointer(start: memory, count: text.utf8.count)
        buffer.copyBytes(from: text.utf8)
        reply.pointee.data = buffer.bindMemory(to: UInt8.self).baseAddress
        reply.pointee.size = buffer.count
    }
}
