// Forms that several kinds of document use.

import SallyportProtocol

extension Form where Value == [String] {
    static var tags: Form { .list(of: .text("a tag, key=value"), "tags, key=value") }
    static var addresses: Form { .list(of: .text("an address or CIDR"), "addresses and CIDRs") }
}

extension Form where Value == Selector {
    /// A list (OR) of lists (AND) of tag expressions.
    static var selector: Form {
        let shape = "a list of lists of tags, such as [[app=web]]: the outer list is OR, the inner AND"
        return Form(shape) { node, path, reading in
            guard case .sequence(let clauses) = node.content else {
                reading.note(node, path, node.mismatch(shape).message)
                return nil
            }
            return Selector.with {
                $0.anyOf = clauses.enumerated().compactMap { index, clause in
                    guard case .sequence(let elements) = clause.content else {
                        reading.note(clause, "\(path)[\(index)]", clause.mismatch("a list of tags, as in [[app=web]]").message)
                        return nil
                    }
                    let form = Form<String>.text("a tag, such as app=web")
                    return Selector.Clause.with {
                        $0.allOf = elements.enumerated().compactMap { form.read($1, "\(path)[\(index)][\($0)]", &reading) }
                    }
                }
            }
        }
    }
}

extension Form where Value == TCPService.ServerTLS {
    static var serverTLS: Form {
        .mapping(
            [
                Field("serverName", \.serverName, .text("a domain name or address")),
                Field("caBundle", \.caBundle, .text("PEM certificates")),
            ], initial: TCPService.ServerTLS())
    }
}
