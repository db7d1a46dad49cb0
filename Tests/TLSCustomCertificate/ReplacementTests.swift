import Linux
import PluginKit
import PluginSupport
import Support
import TLSCustomCertificate
import Testing

@Suite("Certificates that change", .timeLimit(.minutes(2)))
struct ReplacementTests {
    private func serve(_ files: CertificateFiles, _ bench: CustomBench) async throws -> PublicCertificate {
        try files.replace("tls.pem", with: files.read("leaf.pem", "ca.pem"), mode: 0o644)
        try files.replace("tls.key", with: files.read("leaf.key"))
        let served = try await bench.serve("file:\(files.path)/tls.pem", "file:\(files.path)/tls.key")
        try #require(served.problem == "" && served.chain.count == 2)
        return served
    }

    @Test("two files replaced one after the other never show a problem, and the new pair is served when both are there")
    func oneAfterTheOther() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        let before = try await serve(files, bench)
        try await files.make("second", below: "ca", key: "RSA:2048")
        for name in ["second", "leaf"] {
            // Certificate first, then key first.
            let steps = name == "second" ? ["pem", "key"] : ["key", "pem"]
            for step in steps {
                try files.replace("tls.\(step)", with: step == "pem" ? files.read("\(name).pem", "ca.pem") : files.read("\(name).key"))
                // Time for the watch to see half of it: what it must not do, has then been done.
                if step == steps[0] { try await Task.sleep(for: .milliseconds(150)) }
            }
            let expected = name == "leaf" ? before.chain[0] : nil
            let after = try await bench.watch.certificate(of: "web") { expected == nil ? $0.chain[0] != before.chain[0] : $0.chain[0] == expected }
            #expect(after.problem == "")
        }
        #expect(bench.watch.problems(of: "web") == [""])
    }

    @Test("a mismatch that stays is said after two seconds, with the old pair in force; and no longer once it is mended")
    func mismatch() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        let before = try await serve(files, bench)
        try await files.make("second", below: "ca", key: "EC")
        try files.replace("tls.key", with: files.read("second.key"))
        try await bench.untilRead(files)
        #expect(bench.watch["web"] == before)
        bench.clock.advance(2)
        let wrong = try await bench.watch.certificate(of: "web") { !$0.problem.isEmpty }
        #expect(wrong.problem == "the key in \(files.path)/tls.key is not that of the certificate \"CN=leaf\" in \(files.path)/tls.pem (what was there before is still served)")
        #expect(wrong.chain == before.chain && wrong.privateKey == before.privateKey)
        try files.replace("tls.key", with: files.read("leaf.key"))
        _ = try await bench.watch.certificate(of: "web") { $0 == before }
    }

    @Test("rubbish, an empty file and none leave the old pair in force, and the error shows", arguments: ["rubbish", "", nil])
    func rubbish(_ text: String?) async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        let before = try await serve(files, bench)
        if let text { try files.folder.write(text, to: "tls.pem") } else { unlink("\(files.path)/tls.pem") }
        try await bench.untilRead(files)
        bench.clock.advance(2)
        let wrong = try await bench.watch.certificate(of: "web") { !$0.problem.isEmpty }
        #expect(wrong.problem.contains("tls.pem") && wrong.problem.hasSuffix("(what was there before is still served)"))
        #expect(wrong.chain == before.chain && wrong.privateKey == before.privateKey)
        try files.replace("tls.pem", with: files.read("leaf.pem", "ca.pem"))
        _ = try await bench.watch.certificate(of: "web") { $0 == before }
    }

    @Test("a folder swapped by a link, as Kubernetes does with secrets, is one change")
    func swappedLink() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        try await files.make("second", below: "ca", key: "EC")
        for (version, name) in [("..1", "leaf"), ("..2", "second")] {
            mkdir("\(files.path)/\(version)", 0o700)
            try files.folder.write(files.read("\(name).pem", "ca.pem"), to: "\(version)/tls.crt")
            try files.folder.write(files.read("\(name).key"), to: "\(version)/tls.key", mode: 0o600)
        }
        symlink("..1", "\(files.path)/..data")
        for file in ["tls.crt", "tls.key"] { symlink("..data/\(file)", "\(files.path)/\(file)") }
        let before = try await bench.serve("file:\(files.path)/tls.crt", "file:\(files.path)/tls.key")
        #expect(before.problem == "" && before.chain.count == 2)
        symlink("..2", "\(files.path)/..data_tmp")
        rename("\(files.path)/..data_tmp", "\(files.path)/..data")
        let after = try await bench.watch.certificate(of: "web") { $0.chain[0] != before.chain[0] }
        #expect(after.problem == "" && after.privateKey != before.privateKey)
        #expect(bench.watch.problems(of: "web") == [""])
    }

    @Test("what is near its end, past it, or not yet valid is said in its time, and still served")
    func dates() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        let served = try await serve(files, bench)
        bench.clock.turn(to: served.notAfter - 8 * 86400)
        try await bench.untilRead(files)
        #expect(bench.watch["web"] == served)
        bench.clock.turn(to: served.notAfter - 7 * 86400 + 1)
        let near = try await bench.watch.certificate(of: "web") { !$0.problem.isEmpty }
        #expect(near.problem.contains("ends on ") && near.chain == served.chain)
        bench.clock.turn(to: served.notAfter)
        let past = try await bench.watch.certificate(of: "web") { $0.problem.contains("expired on ") }
        #expect(past.chain == served.chain && past.problem.hasSuffix("clients refuse it: replace it"))
        bench.clock.turn(to: served.notAfter - 100 * 86400)
        let early = try await bench.serve(files.read("leaf.pem", "ca.pem"), files.read("leaf.key"), "early")
        #expect(early.problem.contains("is not valid before ") && early.chain.count == 2)
    }

    @Test("an expired certificate does not take the place of one in date")
    func expiredReplacement() async throws {
        let files = try await CertificateFiles(days: 30)
        let bench = try CustomBench()
        try await files.make("long", below: "ca", key: "EC", days: 90)
        bench.clock.advance(40 * 86400)
        let before = try await bench.serve(files.read("long.pem", "ca.pem"), files.read("long.key"))
        #expect(before.problem == "")
        let service = publicService(mode: .customCertificate, certificate: try files.read("leaf.pem", "ca.pem"), key: try files.read("leaf.key"))
        try await bench.plugin.updateServices(.with { $0.upserts = [service] })
        let after = try await bench.watch.certificate(of: "web") { !$0.problem.isEmpty }
        #expect(after.problem.contains("expired on ") && after.problem.hasSuffix("(what was there before is still served)"))
        #expect(after.chain == before.chain)
        // Alone it is served, with the reason.
        let alone = try await bench.serve(files.read("leaf.pem", "ca.pem"), files.read("leaf.key"), "alone")
        #expect(alone.chain.count == 2 && alone.problem.contains("expired on ") && !alone.problem.contains("before"))
    }

    @Test("a key that every user can read is served, and said")
    func exposed() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        let served = try await serve(files, bench)
        try files.replace("tls.key", with: files.read("leaf.key"), mode: 0o644)
        let exposed = try await bench.watch.certificate(of: "web") { !$0.problem.isEmpty }
        #expect(exposed.problem == "\(files.path)/tls.key can be read or written by every user; run `chmod 600 \(files.path)/tls.key`")
        #expect(exposed.chain == served.chain)
        chmod("\(files.path)/tls.key", 0o640)
        _ = try await bench.watch.certificate(of: "web") { $0 == served }
    }

    @Test("more folders than can be watched are read every ten seconds, and health says so")
    func manyFolders() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        var services: [PublicService] = []
        for number in 0..<70 {
            mkdir("\(files.path)/\(number)", 0o700)
            try files.folder.write(files.read("leaf.pem", "ca.pem"), to: "\(number)/tls.pem")
            try files.folder.write(files.read("leaf.key"), to: "\(number)/tls.key", mode: 0o600)
            let folder = "file:\(files.path)/\(number)"
            services.append(publicService("\(number)", mode: .customCertificate, certificate: "\(folder)/tls.pem", key: "\(folder)/tls.key"))
        }
        try await bench.plugin.updateServices(.with { $0.upserts = services })
        #expect(await bench.plugin.health().message.hasPrefix("6 folders cannot be watched"))
        for number in 0..<70 { try files.folder.write(files.read("leaf.pem"), to: "\(number)/tls.pem") }
        for number in 0..<70 {
            bench.clock.advance(11)
            _ = try await bench.watch.certificate(of: "\(number)") { $0.chain.count == 1 }
        }
    }
}

extension CustomBench {
    /// Comes back when the plugin has looked at the folder after this call: another service of the same folder is changed, and
    /// is seen to be.
    func untilRead(_ files: CertificateFiles) async throws {
        let marker = "marker-\(UInt32.random(in: 1...UInt32.max))"
        try files.folder.write("", to: marker)
        let service = publicService(marker, mode: .customCertificate, certificate: "file:\(files.path)/\(marker)", key: "file:\(files.path)/leaf.key")
        try await plugin.updateServices(.with { $0.upserts = [service] })
        _ = try await watch.certificate(of: marker)
        try files.folder.write(files.read("leaf.pem"), to: marker)
        _ = try await watch.certificate(of: marker) { !$0.chain.isEmpty }
    }
}
