/// The commands about transactions.
extension CommandTable {
    static let transactions: [CommandSpecification] = [
        .init(
            section: .transactions, names: ["begin"], usage: "begin [--timeout seconds] [--durability sync|os]",
            summary: "Begin a transaction",
            details: [
                "What follows reads the data of this moment and becomes visible with 'commit', all of it or nothing.",
                "The prompt has a * meanwhile. The server ends a transaction that takes longer than its limit, 60 seconds",
                "unless configured. import and export are part of it, up to 100 000 documents and 64 MiB written. Leaving the",
                "shell rolls back.", "Example: begin", "Example: begin --timeout 10"
            ],
            flags: [
                .init("--timeout", "seconds", "have the server end it sooner"),
                .init(
                    "--durability", "sync|os", "how safe the commit is before it is acknowledged", .word(["sync", "os"])
                )
            ]
        ) { (session, call) async throws(ShellError) in
            try await session.begin(call)
            return .none
        },
        .init(
            section: .transactions, names: ["commit"], usage: "commit",
            summary: "Make the transaction's changes visible",
            details: [
                "When somebody else changed one of its documents first, nothing is done; run it again.",
                "Example: commit", "Example: begin; update a {$inc: {n: -1}}; update b {$inc: {n: 1}}; commit"
            ]
        ) { (session, _) async throws(ShellError) in
            try await session.commit()
            return .none
        },
        .init(
            section: .transactions, names: ["rollback", "abort"], usage: "rollback",
            summary: "Undo everything since 'begin'",
            details: ["Example: rollback", "Example: begin; delete a; rollback"]
        ) { (session, _) async throws(ShellError) in
            try await session.rollBack()
            return .none
        }
    ]
}
