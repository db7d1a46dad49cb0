// The exported C function of a plugin: from the host's table to the plugin's.

import CSallyportPlugin
import Linux
import Synchronization

/// Makes the C interface of a plugin in Swift.
public enum PluginEntry {
    /// What `sallyport_plugin_entry` returns for `type`.
    /// - Returns: A table valid for ever; nil if the host speaks another ABI, or no thread can be had.
    public static func make<P: Plugin>(_ type: P.Type, _ host: UnsafePointer<sallyport_host_v1>?) -> UnsafePointer<sallyport_plugin_v1>? {
        guard let host, HostTable.isCompatible(host), let thread = thread() else { return nil }
        return types.withLock { types in
            if let known = types.first(where: { $0.value.type == P.self }) { return known.key.pointer }
            let table = UnsafeMutablePointer<sallyport_plugin_v1>.allocate(capacity: 1)
            table.initialize(to: functions)
            types[TableAddress(pointer: table)] = PluginType(type: P.self) { PluginInstance(P.self, host: $0, thread: thread) }
            return UnsafePointer(table)
        }
    }

    /// One thread serves every instance made in this image, and lives as long: the image is never unloaded.
    private static func thread() -> SerialThread? {
        shared.withLock { shared in
            if shared == nil { shared = try? SerialThread(name: "sallyport-plugin") }
            return shared
        }
    }

    private static let shared = Mutex<SerialThread?>(nil)
    private static let types = Mutex<[TableAddress: PluginType]>([:])

    private struct PluginType {
        let type: any Plugin.Type
        let create: @Sendable (HostTable) -> PluginInstance
    }

    private struct TableAddress: Hashable, @unchecked Sendable {  // safe: the table is written once, before its address is known to anyone, and never freed
        let pointer: UnsafePointer<sallyport_plugin_v1>

        init(pointer: UnsafePointer<sallyport_plugin_v1>) { self.pointer = pointer }
    }

    private static let functions = sallyport_plugin_v1(
        magic: SALLYPORT_PLUGIN_MAGIC, abi_major: UInt16(SALLYPORT_ABI_MAJOR), abi_minor: UInt16(SALLYPORT_ABI_MINOR),
        struct_size: UInt32(MemoryLayout<sallyport_plugin_v1>.size), reserved: 0,
        create: { plugin, host, context in
            guard let plugin, let host, HostTable.isCompatible(host),
                let type = types.withLock({ $0[TableAddress(pointer: plugin)] })
            else { return nil }
            return Unmanaged.passRetained(type.create(HostTable(host, context: context))).toOpaque()
        },
        call: { instance, call, reply in
            guard let instance, let call, let reply else { return SALLYPORT_INTERNAL }
            return unmanaged(instance).start(call.pointee, reply: reply)
        },
        cancel: { instance, call in instance.map(unmanaged)?.cancel(call) },
        writable: { instance, call in instance.map(unmanaged)?.writable(call) },
        destroy: { instance in
            guard let instance else { return }
            unmanaged(instance).destroy()
            Unmanaged<PluginInstance>.fromOpaque(instance).release()
        })

    private static func unmanaged(_ instance: UnsafeMutableRawPointer) -> PluginInstance {
        Unmanaged<PluginInstance>.fromOpaque(instance).takeUnretainedValue()
    }
}
