import Linux
import PKI
import Support
import Testing

@Suite("A CA in a folder")
struct CertificateAuthorityTests {
    let folder: TemporaryFolder
    let path: String
    let now: Int64 = 1_800_000_000

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/ca"
    }

    func create() throws -> CertificateAuthority { try .create(at: path, trustDomain: "test.example", now: now) }

    func mode(_ name: String) -> mode_t {
        var status = stat()
        return stat("\(path)/\(name)", &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    /// The path that an error names, within the CA's folder, and the error.
    func refusal(_ body: () throws -> Void) -> (path: String, error: String) {
        do {
            try body()
            return ("", "accepted")
        } catch PKIError.file(let file, let problem, let mend) {
            return (String(file.dropFirst(path.count)), "\(problem); \(mend)")
        } catch {
            return ("", "\(error)")
        }
    }

    @Test("a new CA has its key for the owner alone, and no file of a temporary name")
    func create_() throws {
        #expect(try create().trustDomain == "test.example")
        #expect(mode("") == 0o700)
        #expect(mode("root.key") == 0o600)
        #expect(mode("root.pem") == 0o644)
        #expect(access("\(path)/root.key.new", F_OK) != 0)
        #expect(try CertificateAuthority(at: path).contents().roots.count == 1)
    }

    @Test("the CA of public ports is another one, with keys as well kept, and follows rotation and retirement")
    func services() throws {
        let ca = try create()
        let node = try ca.issueEnforcer("node", now: now)
        for name in ["service-root.key", "enforcers/node/service-key.pem"] { #expect(mode(name) == 0o600) }
        let first = try ServiceFolder.bundle(at: path)
        #expect(try ServiceFolder.bundle(at: node) == first)
        #expect(try folder.read("ca/trust.pem") != first)
        let before = try ServiceFolder(reading: node).authority
        #expect(before.validity.notAfter == now + EnforcerAuthority.lifetime)
        let rotated = try ca.rotate(now: now)
        #expect(try ServiceFolder.bundle(at: node).hasSuffix(first))
        #expect(try rotated.contents().serviceRoots.count == 2)
        #expect(try ServiceFolder(reading: node).authority.issuerID == before.issuerID)
        #expect(try rotated.contents().enforcers.map(\.isOfCurrentServiceRoot) == [false])
        #expect(throws: PKIError.self) { try rotated.retire(now: now) }
        try rotated.issueEnforcer("node", now: now)
        _ = try rotated.retire(now: now)
        #expect(try ServiceFolder(reading: node).authority.issuerID != before.issuerID)
        #expect(try !ServiceFolder.bundle(at: path).contains(first))
    }

    @Test("a folder made before there was a CA of public ports works, and has one after the next enforcer or rotation", arguments: [true, false])
    func olderFolder(_ byRotation: Bool) throws {
        _ = try create()
        for name in ["service-root.pem", "service-root.key", "service-trust.pem"] { unlink("\(path)/\(name)") }
        let ca = try CertificateAuthority(at: path)
        #expect(try ca.contents().serviceRoots.isEmpty)
        #expect(throws: PKIError.self) { try ServiceFolder.bundle(at: path) }
        if byRotation { _ = try ca.rotate(now: now) } else { try ca.issueEnforcer("node", now: now) }
        #expect(try CertificateAuthority(at: path).contents().serviceRoots.count == 1)
        #expect(try ServiceFolder.bundle(at: path).ranges(of: "BEGIN CERTIFICATE").count == 1)
    }

    @Test("the files of public ports are checked for owner, mode and whether they belong together, and named")
    func serviceFaults() throws {
        let ca = try create()
        let node = try ca.issueEnforcer("node", now: now)
        let other = try ca.issueEnforcer("other", now: now)
        func fault() -> String { refusal { _ = try ServiceFolder(reading: node) }.path }
        chmod("\(node)/service-key.pem", 0o640)
        #expect(fault() == "/enforcers/node/service-key.pem")
        chmod("\(node)/service-key.pem", 0o600)
        let key = try folder.read("ca/enforcers/node/service-key.pem")
        try folder.write(folder.read("ca/enforcers/other/service-key.pem"), to: "ca/enforcers/node/service-key.pem", mode: 0o600)
        #expect(fault() == "/enforcers/node/service-key.pem")
        try folder.write(key, to: "ca/enforcers/node/service-key.pem", mode: 0o600)
        // The enforcers' own are no CA for servers, and the other way about.
        try folder.write(folder.read("ca/trust.pem"), to: "ca/enforcers/node/service-trust.pem")
        #expect(fault() == "/enforcers/node/service-intermediate.pem")
        try folder.write(folder.read("ca/service-trust.pem"), to: "ca/enforcers/other/trust.pem")
        #expect(refusal { _ = try EnforcerFolder(reading: other) }.path == "/enforcers/other/trust.pem")
    }

    @Test("a folder that holds a CA is left as it is")
    func twice() throws {
        _ = try create()
        let before = try folder.read("ca/root.pem")
        #expect(refusal { _ = try create() }.path == "/root.pem")
        #expect(try folder.read("ca/root.pem") == before)
    }

    @Test("a malformed trust domain leaves nothing behind", arguments: ["", "Example.org", "a b", "a/b"])
    func trustDomain(_ text: String) {
        #expect(throws: PKIError.self) { try CertificateAuthority.create(at: path, trustDomain: text, now: now) }
        #expect(access(path, F_OK) != 0)
    }

    @Test("a key that others can read, or a file or folder that others can write, is refused with the command that mends it")
    func modes() throws {
        _ = try create()
        for (name, bad, good) in [("root.key", 0o640, 0o600), ("root.key", 0o602, 0o600), ("trust.pem", 0o666, 0o644), ("", 0o770, 0o700)] {
            chmod("\(path)/\(name)", mode_t(bad))
            let (place, error) = refusal { _ = try CertificateAuthority(at: path) }
            #expect(place == (name.isEmpty ? "" : "/\(name)") && error.contains("run `chmod"), "\(name) \(error)")
            chmod("\(path)/\(name)", mode_t(good))
            _ = try CertificateAuthority(at: path)
        }
    }

    @Test("files of another user are refused", .enabled(if: geteuid() == 0, "only root can give files away"))
    func owners() throws {
        _ = try create()
        for name in ["root.key", "trust.pem", ""] {
            chown("\(path)/\(name)", 12345, 12345)
            #expect(refusal { _ = try CertificateAuthority(at: path) }.error.contains("belongs to user 12345"))
            chown("\(path)/\(name)", 0, 0)
        }
    }

    @Test("an enforcer's folder can be read by its node, and issues within its namespaces only")
    func enforcer() throws {
        let ca = try create()
        let node = try ca.issueEnforcer("node-1", namespaces: [NamespacePath("/acme"), NamespacePath("/x")], now: now)
        #expect(mode("enforcers/node-1/key.pem") == 0o600)
        let enforcer = try EnforcerFolder(reading: node)
        #expect(enforcer.authority.facts.namespaces.map(\.description) == ["/acme", "/x"])
        let key = try TestAuthority.publicKey()
        let tags = ["app=web", "$name=web", "$namespace=/acme/shop"]
        let issued = try enforcer.authority.issue(
            namespace: NamespacePath("/acme/shop"), name: "web", tags: tags, publicKey: key, now: now, lifetime: 3600)
        #expect(issued.chain.count == 2)
        #expect(issued.validity == Validity(notBefore: now - 300, notAfter: now + 3600))
        #expect(try LeafFacts(decoding: issued.chain[0]).tags == ["$name=web", "$namespace=/acme/shop", "app=web"])
        let error = #expect(throws: PKIError.self) {
            try enforcer.authority.issue(
                namespace: NamespacePath("/other"), name: "web", tags: ["$name=web", "$namespace=/other"], publicKey: key, now: now, lifetime: 3600)
        }
        #expect(error?.description.contains("/acme, /x") == true)
    }

    @Test("tags that contradict the unit, malformed tags and keys of another kind are refused")
    func requests() throws {
        let enforcer = try EnforcerFolder(reading: create().issueEnforcer("node", now: now)).authority
        let key = try TestAuthority.publicKey()
        let tags = ["$name=web", "$namespace=/"]
        for (tags, name, key) in [
            ([], "web", key), (["$name=other", "$namespace=/"], "web", key), (tags + ["$namespace=/x"], "web", key), (tags + ["oops"], "web", key),
            (tags, "we b", key), (tags, "web", [1, 2, 3]), (tags, "web", []), (tags + ["$identity=externalnetwork"], "web", key),
        ] {
            #expect(throws: PKIError.self, "\(tags) \(name)") {
                try enforcer.issue(namespace: .root, name: name, tags: tags, publicKey: key, now: now, lifetime: 3600)
            }
        }
    }

    @Test("a leaf never outlives its intermediate, nor an intermediate its root; what has run out signs nothing")
    func lifetimes() throws {
        let ca = try CertificateAuthority.create(at: path, trustDomain: "test.example", now: now, lifetime: 10_000)
        let enforcer = try EnforcerFolder(reading: ca.issueEnforcer("node", now: now, lifetime: 20_000)).authority
        #expect(enforcer.facts.validity.notAfter == now + 10_000)
        let key = try TestAuthority.publicKey()
        func issue(at time: Int64) throws -> IssuedCertificate {
            try enforcer.issue(
                namespace: .root, name: "a", tags: ["$name=a", "$namespace=/"], publicKey: key, now: time, lifetime: 3600)
        }
        #expect(try issue(at: now + 9000).validity.notAfter == now + 10_000)
        #expect(throws: PKIError.self) { try issue(at: now + 10_000) }
        #expect(throws: PKIError.self) { try ca.issueEnforcer("late", now: now + 10_000) }
    }

    @Test("renewing an enforcer keeps its namespaces and takes a new key")
    func renewal() throws {
        let ca = try create()
        let node = try ca.issueEnforcer("node", namespaces: [NamespacePath("/acme")], now: now)
        let before = try EnforcerFolder(reading: node).authority
        try ca.issueEnforcer("node", now: now + 10)
        let after = try EnforcerFolder(reading: node).authority
        #expect(after.facts.namespaces == before.facts.namespaces)
        #expect(try after.issuerID != before.issuerID)
    }

    @Test("enforcers' names that would leave the folder are refused", arguments: ["", "..", ".", "a/b", "../x", String(repeating: "a", count: 41)])
    func names(_ name: String) throws {
        let ca = try create()
        #expect(throws: PKIError.self) { try ca.issueEnforcer(name, now: now) }
    }

    @Test("a node's folder with a part missing, swapped, damaged or exposed is refused, naming the file")
    func nodeFolder() throws {
        let ca = try create()
        let node = try ca.issueEnforcer("node", now: now)
        try ca.issueEnforcer("other", now: now)
        let foreign = try CertificateAuthority.create(at: folder.path + "/foreign", trustDomain: "test.example", now: now)
        _ = foreign
        func with(_ file: String, _ text: String, mode: mode_t = 0o600, named: String? = nil) throws {
            let name = "ca/enforcers/node/\(file)"
            let before = try folder.read(name)
            try folder.write(text, to: name, mode: mode)
            let (place, error) = refusal { _ = try EnforcerFolder(reading: node) }
            #expect(place == "/enforcers/node/\(named ?? file)", "\(file): \(error)")
            try folder.write(before, to: name, mode: 0o600)
            _ = try EnforcerFolder(reading: node)
        }
        let key = try folder.read("ca/enforcers/node/key.pem")
        let intermediate = try folder.read("ca/enforcers/node/intermediate.pem")
        for file in ["trust.pem", "intermediate.pem", "key.pem"] {
            try with(file, "")
            try with(file, "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
            try with(file, String(repeating: "x", count: 2 << 20))
        }
        try with("key.pem", key, mode: 0o644)
        try with("key.pem", folder.read("ca/enforcers/other/key.pem"))
        try with("intermediate.pem", intermediate + intermediate)
        try with("intermediate.pem", folder.read("ca/root.pem"), named: "key.pem")
        try with("trust.pem", intermediate)
        try with("trust.pem", folder.read("foreign/root.pem"), named: "intermediate.pem")
        try with("trust.pem", key)
        unlink("\(node)/key.pem")
        #expect(refusal { _ = try EnforcerFolder(reading: node) }.path == "/enforcers/node/key.pem")
        mkfifo("\(node)/key.pem", 0o600)
        #expect(refusal { _ = try EnforcerFolder(reading: node) }.path == "/enforcers/node/key.pem")
    }

    @Test("a rotation trusts both roots until it is retired, which waits for every enforcer")
    func rotation() throws {
        let ca = try create()
        for name in ["a", "b"] { try ca.issueEnforcer(name, now: now) }
        let rotated = try ca.rotate(now: now + 10)
        #expect(try rotated.contents().roots.count == 2)
        #expect(try rotated.contents().roots[1].fingerprint == ca.contents().roots[0].fingerprint)
        for name in ["a", "b"] {
            // Old intermediates stay in force, and their nodes learn of the new root first.
            #expect(try EnforcerFolder(reading: "\(path)/enforcers/\(name)").trust.roots.count == 2)
        }
        #expect(try rotated.contents().enforcers.map(\.isOfCurrentRoot) == [false, false])

        try rotated.issueEnforcer("a", now: now + 20)
        let error = #expect(throws: PKIError.self) { try rotated.retire(now: now + 30) }
        #expect(error?.description.contains("intermediates of b ") == true)
        try rotated.issueEnforcer("b", now: now + 30)
        let retired = try rotated.retire(now: now + 40)
        #expect(try retired.contents().roots.count == 1)
        #expect(try EnforcerFolder(reading: "\(path)/enforcers/a").trust.roots == [retired.rootDER])
    }

    @Test("an enforcer whose intermediate has run out does not hold a rotation up, and force ends it at once")
    func retirement() throws {
        let ca = try create()
        try ca.issueEnforcer("gone", now: now, lifetime: 100)
        try ca.issueEnforcer("here", now: now)
        let rotated = try ca.rotate(now: now)
        let error = #expect(throws: PKIError.self) { try rotated.retire(now: now + 1000) }
        #expect(error?.description.contains("intermediates of here ") == true)
        #expect(try rotated.retire(now: now + 1000, force: true).contents().roots.count == 1)
    }

    @Test("a change cut short between its files leaves a CA that works")
    func interrupted() throws {
        let ca = try create()
        let before = try ["trust.pem", "root.key", "root.pem"].map { try folder.read("ca/\($0)") }
        _ = try ca.rotate(now: now)
        let after = try ["trust.pem", "root.key", "root.pem"].map { try folder.read("ca/\($0)") }
        for written in 0...3 {
            for (index, name) in ["trust.pem", "root.key", "root.pem"].enumerated() {
                try folder.write(index < written ? after[index] : before[index], to: "ca/\(name)", mode: 0o600)
            }
            let opened = try CertificateAuthority(at: path)
            try opened.issueEnforcer("node", now: now)
            _ = try EnforcerFolder(reading: "\(path)/enforcers/node")
        }
    }

    @Test("changes made at the same time by many are made one after another")
    func concurrent() async throws {
        let ca = try create()
        try await withThrowingTaskGroup { group in
            for index in 0..<8 {
                group.addTask {
                    if index % 2 == 0 { _ = try ca.rotate(now: now) } else { try ca.issueEnforcer("node-\(index)", now: now) }
                }
            }
            try await group.waitForAll()
        }
        let contents = try CertificateAuthority(at: path).contents()
        #expect(contents.roots.count == 5)
        #expect(contents.enforcers.count == 4)
        for enforcer in contents.enforcers { _ = try EnforcerFolder(reading: "\(path)/enforcers/\(enforcer.name)") }
    }
}
