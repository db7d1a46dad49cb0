// A shared object loaded into this process, and the table it offers (docs/plugin-abi.md §3).

import CSallyportPlugin
import Linux
import Synchronization

/// A loaded plugin. Never unloaded: the Swift runtime keeps pointers into every image it has seen.
struct PluginLibrary: @unchecked Sendable {  // safe: the plugin keeps its table constant for the life of the process (docs/plugin-abi.md §3)
    let table: UnsafePointer<sallyport_plugin_v1>

    /// Loads `file` and asks it for its table. Runs the plugin's code: on the plugin's thread.
    init(loading file: PluginFile) throws(PluginFault) {
        let symbol = try PluginLibrary.entry(of: file)
        typealias Entry = @convention(c) (UnsafePointer<sallyport_host_v1>?) -> UnsafePointer<sallyport_plugin_v1>?
        guard let table = unsafeBitCast(symbol, to: Entry.self)(hostTable) else { throw .refusedHost(name: file.name) }
        try PluginLibrary.check(table, name: file.name)
        self.table = table
    }

    private static func check(_ table: UnsafePointer<sallyport_plugin_v1>, name: String) throws(PluginFault) {
        guard table.pointee.magic == SALLYPORT_PLUGIN_MAGIC else { throw .wrongMagic(name: name, magic: table.pointee.magic) }
        guard table.pointee.abi_major == SALLYPORT_ABI_MAJOR else { throw .wrongMajor(name: name, major: table.pointee.abi_major) }
        // Nothing past `struct_size` may be read: it would be another object's memory.
        guard table.pointee.struct_size >= SALLYPORT_PLUGIN_SIZE_1_0 else {
            throw .tableTooSmall(name: name, size: table.pointee.struct_size)
        }
        if table.pointee.create == nil { throw .missingFunction(name: name, function: "create") }
        if table.pointee.call == nil { throw .missingFunction(name: name, function: "call") }
        if table.pointee.cancel == nil { throw .missingFunction(name: name, function: "cancel") }
        if table.pointee.destroy == nil { throw .missingFunction(name: name, function: "destroy") }
    }

    // MARK: Images

    /// A file that was loaded, with its descriptor, which stays open: the linker knows the image by that path, and would
    /// take another file under the same number for it.
    private struct Image: @unchecked Sendable {  // safe: an address of code, which never moves
        /// nil for a library that is no plugin; it stays loaded as well.
        let entry: UnsafeMutableRawPointer?
        let file: PluginFile
    }

    private struct FileKey: Hashable {
        let device, inode: UInt64
    }

    private static let images = Mutex<[FileKey: Image]>([:])

    private static func entry(of file: PluginFile) throws(PluginFault) -> UnsafeMutableRawPointer {
        let key = FileKey(device: file.identity.device, inode: file.identity.inode)
        if let image = images.withLock({ $0[key] }) {
            guard image.file.identity == file.identity else { throw .overwrittenInPlace(path: file.path) }
            guard let entry = image.entry else { throw .noEntry(name: file.name) }
            return entry
        }
        guard let handle = dlopen(file.pathOfDescriptor, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "for an unknown reason"
            throw .notLoadable(name: file.name, reason: reason.replacing("\(file.pathOfDescriptor): ", with: ""))
        }
        // Searches the libraries the plugin needs as well, none of which has that name.
        let entry = dlsym(handle, "sallyport_plugin_entry")
        images.withLock { $0[key] = Image(entry: entry, file: file) }
        guard let entry else { throw .noEntry(name: file.name) }
        return entry
    }
}
