// Why a plugin cannot be used: each a sentence for the operator, with what to do.

import CSallyportPlugin
import Linux

/// What keeps a plugin from working until its file, its drop-in or its surroundings change.
public enum PluginFault: Error, Equatable, Sendable {
    case badName(String)
    case notFound(name: String, directory: String)
    case unreadable(SystemCallError)
    case notRegularFile(path: String)
    case wrongOwner(path: String, uid: UInt32)
    case writableByOthers(path: String, mode: UInt32)
    case notExecutable(path: String)
    case wrongDigest(path: String, expected: String, actual: String)
    case overwrittenInPlace(path: String)
    case notLoadable(name: String, reason: String)
    case noEntry(name: String)
    case refusedHost(name: String)
    case wrongMagic(name: String, magic: UInt32)
    case wrongMajor(name: String, major: UInt16)
    case tableTooSmall(name: String, size: UInt32)
    case missingFunction(name: String, function: String)
    case createRefused(name: String)
    case overdue(name: String, step: String)
    case unknownUser(String)
    case notStarted(name: String, SystemCallError)
}

extension PluginFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .badName(let name):
            "\"\(name)\" is no name of a plugin: use a file name without a slash, as in \"policy-file\""
        case .notFound(let name, let directory):
            "there is neither \(name).so nor \(name) in \(directory): install the plugin there, or mend the name"
        case .unreadable(let error):
            error.errno == ELOOP
                ? "\(error.subject) is a symbolic link: put the file itself there"
                : "\(error): make it readable for the daemon"
        case .notRegularFile(let path): "\(path) is not a regular file"
        case .wrongOwner(let path, let uid):
            "\(path) belongs to user \(uid): it must belong to root or to the daemon's user (chown root \(path))"
        case .writableByOthers(let path, let mode):
            "\(path) has mode \(String(mode, radix: 8)): group and others must not be able to write it (chmod go-w \(path))"
        case .notExecutable(let path): "\(path) is not executable: chmod +x it, or name a .so"
        case .wrongDigest(let path, let expected, let actual):
            "\(path) has the SHA-256 \(actual) and not \(expected): it is another build than the one the drop-in trusts"
        case .overwrittenInPlace(let path):
            "\(path) was overwritten while it was loaded: start the daemon again, and replace plugins by renaming a new file over the old"
        case .notLoadable(let name, let reason): "\(name) cannot be loaded: \(reason)"
        case .noEntry(let name):
            "\(name) has no function sallyport_plugin_entry: it is no plugin, or was linked without exporting it"
        case .refusedHost(let name):
            "\(name) refused this host (its entry returned NULL): it needs another version of Sallyport; this one has ABI \(SALLYPORT_ABI_MAJOR).\(SALLYPORT_ABI_MINOR)"
        case .wrongMagic(let name, let magic):
            "\(name) returned a table that begins with 0x\(String(magic, radix: 16)) and not with SALLYPORT_PLUGIN_MAGIC: it is built with another header"
        case .wrongMajor(let name, let major):
            "\(name) has plugin ABI \(major), this host \(SALLYPORT_ABI_MAJOR): build it with this version's sallyport/plugin.h"
        case .tableTooSmall(let name, let size):
            "\(name) has a table of \(size) bytes, smaller than ABI 1.0's \(SALLYPORT_PLUGIN_SIZE_1_0): set struct_size to sizeof(sallyport_plugin_v1)"
        case .missingFunction(let name, let function): "\(name) has no function \(function) in its table"
        case .createRefused(let name): "\(name) made no instance (create returned NULL): its log lines say why"
        case .overdue(let name, let step): "\(name) did not return from \(step) in time"
        case .unknownUser(let user): "there is no user \"\(user)\" on this machine: create it, or mend `user`"
        case .notStarted(let name, let error): "\(name) could not be started: \(error)"
        }
    }
}
