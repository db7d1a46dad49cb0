// Documents that these tests tell apart by a tag.

import SallyportProtocol

func unit(_ name: String, tag: String = "v=1") -> String {
    "apiVersion: sallyport.dev/v1\nkind: ProcessingUnit\nmetadata: {name: \(name), namespace: /acme}\nspec: {type: Host, tags: [\(tag)]}\n"
}

func file(_ documents: String...) -> String { documents.joined(separator: "---\n") }

/// "a v=1, b v=2"
func summary(_ objects: some Collection<Sallyport_Policy_V1_Object>) -> String {
    objects.map { ([$0.key.name] + $0.processingUnit.tags).joined(separator: " ") }.sorted().joined(separator: ", ")
}
