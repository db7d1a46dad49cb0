// A name server whose answer a test changes, and an enforcer that asks it.

import Linux
import Support

/// Answers every question for A and AAAA with the same addresses, and every one for the name of an address (PTR) with the same
/// name, to be asked again after a second.
struct NameServer {
    private let directory: TemporaryDirectory
    private let program: NetworkProgram

    /// - Parameters:
    ///   - enforcer: Is to ask it, and forgets an address the grace period after it was last told of it.
    ///   - name: Of all addresses.
    init(
        on node: NetworkNode, of enforcer: Enforcer, answering addresses: String..., name: String = "nobody.invalid", grace: String = "1s"
    ) throws {
        directory = try TemporaryDirectory()
        try directory.write("answer", addresses.joined(separator: " "))
        program = try node.start("perl", ["-MSocket=:all", "-e", """
            socket(S, PF_INET, SOCK_DGRAM, 0) && bind(S, pack_sockaddr_in(5353, inet_aton("127.0.0.1"))) or die $!;
            print STDERR "ready\\n";
            while (defined($from = recv S, $q, 512, 0)) {
              ($question) = substr($q, 12) =~ /^((?:[^\\0]+)\\0.{4})/s;
              $type = unpack "n", substr $question, -4, 2;
              open F, $ARGV[0]; @all = split " ", <F>; close F;
              @fit = $type == 12 ? (pack "(C/a)*x", split /\\./, $ARGV[1]) : grep { $_ } map { inet_pton($type == 1 ? AF_INET : AF_INET6, $_) } grep { (/:/ ? 28 : 1) == $type } @all;
              send S, substr($q, 0, 2) . pack("n5", 0x8180, 1, scalar @fit, 0, 0) . $question
                . join("", map { pack("nnnNn", 0xc00c, $type, 1, 1, length $_) . $_ } @fit), 0, $from;
            }
            """, "\(directory.path)/answer", name], keeping: directory)
        let program = program
        try program.wait("answered") { program.errorsSoFar.contains("ready") }
        try enforcer.dropIn("30-load-balancer.yaml", """
            version: 1
            plugin: load-balancer-static
            kind: load-balancer-adapter
            config: {nameserver: "127.0.0.1:5353", grace: \(grace)}
            """)
        try enforcer.signal(SIGHUP)
    }

    func answers(_ addresses: String...) throws {
        try directory.write("answer", addresses.joined(separator: " "))
    }

    /// Takes questions and answers none, until it goes on.
    func falls(silent: Bool) { kill(program.pid, silent ? SIGSTOP : SIGCONT) }
}
