// The kinds of document, and the fields all of them have.

import SallyportProtocol

/// A kind of document: how its `spec` is written.
package struct DocumentKind: Sendable {
    package let kind: Sallyport_Policy_V1_Kind
    package let fields: [FieldDescription]
    /// Reads `spec` into an object.
    let read: @Sendable (YAMLNode, inout PolicyObject, inout FieldReading) -> Void

    private init<Message>(
        _ kind: Sallyport_Policy_V1_Kind, _ spec: @escaping @Sendable (Message) -> PolicyObject.OneOf_Spec, _ form: Form<Message>
    ) {
        self.kind = kind
        fields = form.fields
        read = { node, object, reading in
            if let message = form.read(node, "spec", &reading) { object.spec = spec(message) }
        }
    }

    package static let all: [DocumentKind] = [
        DocumentKind(.namespace, PolicyObject.OneOf_Spec.namespace, .namespace),
        DocumentKind(.processingUnit, PolicyObject.OneOf_Spec.processingUnit, .processingUnit),
        DocumentKind(.tcpService, PolicyObject.OneOf_Spec.tcpService, .tcpService),
        DocumentKind(.serviceDependencyPolicy, PolicyObject.OneOf_Spec.serviceDependencyPolicy, .serviceDependencyPolicy),
        DocumentKind(.networkRuleset, PolicyObject.OneOf_Spec.networkRuleset, .networkRuleset),
        DocumentKind(.externalNetwork, PolicyObject.OneOf_Spec.externalNetwork, .externalNetwork),
    ]
}

/// A document before its `spec` means anything.
struct Envelope: Sendable {
    static let apiVersion = "sallyport.dev/v1"

    var kind: DocumentKind?
    var key = ObjectKey()
    var spec: YAMLNode?
    fileprivate var apiVersion = ""

    static let form = Form<Envelope>.mapping(
        [
            Field("apiVersion", \.apiVersion, .word([apiVersion: apiVersion]), .required),
            Field("kind", \.kind, .documentKind, .required),
            Field("metadata", \.key, .metadata, .required),
            Field("spec", \.spec, Form("a mapping with the fields of the kind") { node, _, _ in node }),
        ], initial: Envelope())
}

extension Form where Value == DocumentKind? {
    fileprivate static var documentKind: Form {
        let names = DocumentKind.all.map(\.kind.documentName)
        let expected = "one of \(names.joined(separator: ", "))"
        return Form(
            expected,
            simple: { node throws(WrongType) in
                let name = try node.text(expected)
                if let kind = DocumentKind.all.first(where: { $0.kind.documentName == name }) { return kind }
                guard let near = nearestName(to: name, among: names) else { throw node.mismatch(expected) }
                throw WrongType(message: "\(quoted(name)) is no known kind; did you mean \(near)?")
            })
    }
}

extension Form where Value == ObjectKey {
    fileprivate static var metadata: Form {
        .mapping(
            [
                Field("name", \.name, .text("a name"), .required),
                Field("namespace", \.namespace, .text("a namespace path, such as /acme/shop")),
            ], initial: ObjectKey())
    }
}
