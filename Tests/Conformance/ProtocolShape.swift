// What of the .proto files others rely on, as lines that can be compared.

import Foundation
import SwiftProtobuf

/// The messages, enumerations and services of a set of .proto files, by their full names.
struct ProtocolShape {
    /// "package.Message" → number → "name: type".
    private(set) var fields: [String: [Int32: String]] = [:]
    private(set) var reserved: [String: [Range<Int32>]] = [:]
    /// "package.Enum" → number → names.
    private(set) var values: [String: [Int32: Set<String>]] = [:]
    /// "package.Service" → method → "request → response".
    private(set) var methods: [String: [String: String]] = [:]

    init(_ set: Google_Protobuf_FileDescriptorSet) {
        for file in set.file {
            let package = file.package
            for message in file.messageType { add(message, in: package) }
            for values in file.enumType { add(values, in: package) }
            for service in file.service {
                for method in service.method {
                    methods["\(package).\(service.name)", default: [:]][method.name] =
                        (method.clientStreaming ? "stream " : "") + method.inputType + " → " + (method.serverStreaming ? "stream " : "") + method.outputType
                }
            }
        }
    }

    private mutating func add(_ message: Google_Protobuf_DescriptorProto, in scope: String) {
        let name = "\(scope).\(message.name)"
        fields[name] = [:]
        for field in message.field {
            // What is on the wire, what JSON and code call it, and what it excludes.
            let choice = field.hasOneofIndex && !field.proto3Optional ? " of \(message.oneofDecl[Int(field.oneofIndex)].name)" : ""
            fields[name]?[field.number] = "\(field.name): \(field.label) \(field.type) \(field.typeName)\(field.proto3Optional ? " optional" : "")\(choice)"
        }
        reserved[name] = message.reservedRange.map { $0.start..<$0.end }
        for nested in message.nestedType { add(nested, in: name) }
        for values in message.enumType { add(values, in: name) }
    }

    private mutating func add(_ values: Google_Protobuf_EnumDescriptorProto, in scope: String) {
        for value in values.value { self.values["\(scope).\(values.name)", default: [:]][value.number, default: []].insert(value.name) }
        // The end is included here, other than in messages.
        reserved["\(scope).\(values.name)"] = values.reservedRange.map { $0.start..<$0.end + 1 }
    }

    private func isReserved(_ number: Int32, in name: String) -> Bool { reserved[name]?.contains { $0.contains(number) } == true }

    /// What has changed in `later` that those who were built with this shape rely on.
    func broken(by later: ProtocolShape) -> [String] {
        var broken: [String] = []
        for (message, fields) in fields {
            guard let now = later.fields[message] else {
                broken.append("\(message) is gone")
                continue
            }
            for (number, field) in fields where now[number] != field {
                if let found = now[number] {
                    broken.append("\(message), \(number): was \(field), is \(found)")
                } else if !later.isReserved(number, in: message) {
                    broken.append("\(message), \(number): was \(field), is gone and not reserved")
                }
            }
            for range in reserved[message] ?? [] {
                for number in range where now[number] != nil { broken.append("\(message), \(number): was reserved, is used again") }
                if let first = range.first(where: { !later.isReserved($0, in: message) && now[$0] == nil }) {
                    broken.append("\(message), \(first): was reserved, and is not any longer")
                }
            }
        }
        for (type, values) in values {
            for (number, names) in values {
                let now = later.values[type]?[number]
                if now == nil && later.isReserved(number, in: type) { continue }
                if now?.isSuperset(of: names) != true { broken.append("\(type), \(number): was \(names.sorted()), is \(now?.sorted() ?? [])") }
            }
        }
        for (service, methods) in methods {
            for (method, types) in methods where later.methods[service]?[method] != types {
                broken.append("\(service)/\(method): was \(types), is \(later.methods[service]?[method] ?? "gone")")
            }
        }
        return broken.sorted()
    }
}
