// The drop-ins of a directory, each read or refused by itself.

import Linux
import PluginCarriers
import PolicyDocuments

/// What a directory of drop-ins holds.
struct DropInDirectory {
    /// A file that is no drop-in as it stands.
    struct Broken: Sendable, Equatable {
        let file: String
        /// The drop-in's name, if the file's name has one.
        let name: String?
        let problems: [String]
        /// It says `required`, or nobody knows what it says.
        let mayBeRequired: Bool
    }

    /// By file name.
    private(set) var dropIns: [DropIn] = []
    private(set) var broken: [Broken] = []
    /// The directory itself could not be read.
    private(set) var problem: String?

    init(reading path: String) {
        guard let files = DropInDirectory.files(in: path) else {
            problem = "\(SystemCallError(call: "opendir", errno: clinux_errno(), subject: path)): make it, or name another directory for drop-ins"
            return
        }
        var names: [String: String] = [:]
        for file in files {
            let bytes: [UInt8]
            do throws(PluginFault) {
                bytes = try readTrustedFile("\(path)/\(file)", limit: DropIn.longestFile)
            } catch {
                refuse(file, ["\(file): \(error)"], mayBeRequired: true)
                continue
            }
            let mayBeRequired = String(decoding: bytes, as: UTF8.self).contains("required")
            do throws(SettingsProblems) {
                let dropIn = try DropIn(reading: bytes, file: file)
                if let first = names[dropIn.name] {
                    refuse(file, ["\(file): the name \(dropIn.name) is \(first)'s already; give one of the two another name"], mayBeRequired: mayBeRequired)
                } else {
                    names[dropIn.name] = file
                    dropIns.append(dropIn)
                }
            } catch {
                refuse(file, error.problems.map { "\($0)" }, mayBeRequired: mayBeRequired)
            }
        }
    }

    private mutating func refuse(_ file: String, _ problems: [String], mayBeRequired: Bool) {
        broken.append(Broken(file: file, name: DropIn.name(ofFile: file), problems: problems, mayBeRequired: mayBeRequired))
    }

    /// Names that end in .yaml or .yml, sorted; others (README, editors' and package managers' copies) are not looked at.
    private static func files(in path: String) -> [String]? {
        guard let stream = opendir(path) else { return nil }
        defer { closedir(stream) }
        var files: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) { String(cString: $0) }
            }
            if !name.hasPrefix(".") && (name.hasSuffix(".yaml") || name.hasSuffix(".yml")) { files.append(name) }
        }
        return files.sorted()
    }
}
