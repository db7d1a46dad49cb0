// ProcessingUnit: a protected workload.

import SallyportProtocol

extension Form where Value == ProcessingUnit {
    static var processingUnit: Form {
        .mapping(
            [
                Field(
                    "type", \.type, .word(["Host": .host, "HostService": .hostService, "Container": .container]), .required),
                Field("tags", \.tags, .tags, .optional("[]")),
                Field("networkNamespace", \.networkNamespace, .networkNamespace),
                Field("cgroup", \.cgroup, .text("a cgroup v2 path")),
                Field("addresses", \.addresses, .list(of: .text("an address"), "addresses"), .optional("[]")),
                Field("node", \.node, .text("an enforcer's name"), .optional("this node")),
            ], initial: ProcessingUnit())
    }
}

extension Form where Value == ProcessingUnit.OneOf_NetworkNamespace? {
    /// A path, or a process id as a number.
    fileprivate static var networkNamespace: Form {
        let name = "a path, such as /run/netns/web, or a process id"
        return Form(
            name,
            simple: { node throws(WrongType) in
                if let pid = try? node.integer(name, in: 1...Int(Int32.max)) { return .networkNamespacePid(Int32(pid)) }
                return .networkNamespacePath(try node.text(name))
            })
    }
}
