// Reading a mapping by its fields: nothing unknown, nothing twice, nothing missing.

extension Form {
    /// A mapping with exactly these fields.
    public static func mapping(_ fields: [Field<Value>], initial: @autoclosure @escaping @Sendable () -> Value) -> Form {
        let descriptions = fields.map(\.description)
        return Form("a mapping", fields: descriptions) { node, path, reading in
            guard case .mapping(let pairs) = node.content else {
                let names = descriptions.map(\.name).joined(separator: ", ")
                reading.note(node, path, node.mismatch("a mapping with \(names)").message)
                return nil
            }
            var value = initial()
            var seen: [String: Int] = [:]
            for (key, content) in pairs {
                guard case .scalar(let name, _) = key.content else {
                    reading.note(key, path, key.mismatch("the name of a field").message)
                    continue
                }
                let field = path.isEmpty ? name : "\(path).\(name)"
                if let line = seen.updateValue(key.line, forKey: name) {
                    reading.note(key, field, "is already given on line \(line); keep one of the two")
                } else if let known = fields.first(where: { $0.description.name == name }) {
                    known.read(content, field, &value, &reading)
                } else {
                    reading.note(key, field, unknownField(name, known: descriptions))
                }
            }
            for missing in descriptions where missing.presence == .required && seen[missing.name] == nil {
                let field = path.isEmpty ? missing.name : "\(path).\(missing.name)"
                reading.note(node, field, "is missing; it must be \(missing.form)")
            }
            return value
        }
    }
}

private func unknownField(_ name: String, known: [FieldDescription]) -> String {
    if name == "<<" { return "merge keys are not supported; write the fields out" }
    let names = known.map(\.name)
    if let near = nearestName(to: name, among: names) { return "is no known field; did you mean \(near)?" }
    if let inner = known.first(where: { $0.fields.contains { $0.name == name } }) {
        return "is no known field here; it belongs in \(inner.name)"
    }
    return "is no known field; known here are \(names.joined(separator: ", "))"
}
