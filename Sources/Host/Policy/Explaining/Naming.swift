// What `sallyport explain` may be asked about, by name.

import Linux
import SallyportProtocol

/// One end of the flow that is to be explained.
enum NamedEndpoint {
    case unit(Int32)
    case service(Service)
    case address(SocketAddress)
}

/// Why a name names nothing.
struct NamingProblem: Error {
    let message: String
}

extension PolicyWorld {
    /// - Parameter name: "NAMESPACE/NAME", or a name that is unique; "pu:" may stand before it.
    func findUnit(_ name: String) throws(NamingProblem) -> Int32 {
        let name = name.hasPrefix("pu:") ? String(name.dropFirst(3)) : name
        let found = units(named: name)
        guard let unit = found.first else {
            throw NamingProblem(message: "no processing unit is named \(name); `sallyport pus` lists them")
        }
        if found.count > 1 { throw ambiguous(name, found.map { "pu:" + path(ofUnit: $0) }) }
        return unit
    }

    /// - Parameter name: "ADDRESS:PORT", or a service or PU as "NAMESPACE/NAME" or by a name that is unique; "service:"
    ///   or "pu:" may stand before it.
    func findEndpoint(_ name: String) throws(NamingProblem) -> NamedEndpoint {
        if let address = SocketAddress(name) { return .address(address) }
        if name.hasPrefix("pu:") { return .unit(try findUnit(name)) }
        let bare = name.hasPrefix("service:") ? String(name.dropFirst(8)) : name
        let services = services(named: bare)
        let units = bare == name ? units(named: bare) : []
        if services.count + units.count > 1 {
            throw ambiguous(name, services.map { "service:" + $0.path } + units.map { "pu:" + path(ofUnit: $0) })
        }
        if let service = services.first { return .service(service) }
        if let unit = units.first { return .unit(unit) }
        throw NamingProblem(
            message: "\(name) names no service and no processing unit, and is no ADDRESS:PORT; "
                + "`sallyport services` and `sallyport pus` list them")
    }

    func path(ofUnit number: Int32) -> String { state.units[number].map { path(of: $0.record) } ?? "" }

    private func ambiguous(_ name: String, _ candidates: [String]) -> NamingProblem {
        let sorted = candidates.sorted()
        let more = sorted.count > 5 ? " and \(sorted.count - 5) more" : ""
        return NamingProblem(message: "\(name) may mean \(sorted.prefix(5).joined(separator: ", "))\(more); give one of these")
    }

    private func units(named name: String) -> [Int32] {
        let place = Place(name)
        var found: [Int32] = []
        state.units.forEach { number, entry in
            if place.isAt(state.namespaces[entry.record.namespace].path, entry.record.name) { found.append(number) }
        }
        return found
    }

    private func services(named name: String) -> [Service] {
        let place = Place(name)
        var found: [Service] = []
        state.services.services.forEach { if place.isAt($1.namespace, $1.name) { found.append($1) } }
        return found
    }

    /// A name, with its namespace if it has one.
    private struct Place {
        let namespace: String?
        let name: Substring

        init(_ text: String) {
            namespace = text.hasPrefix("/") ? parent(of: text) : nil
            name = namespace == nil ? text[...] : text[text.index(after: text.lastIndex(of: "/") ?? text.startIndex)...]
        }

        func isAt(_ otherNamespace: String, _ otherName: String) -> Bool {
            otherName == name && (namespace == nil || namespace == otherNamespace)
        }
    }
}
