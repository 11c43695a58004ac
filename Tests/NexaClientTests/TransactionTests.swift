#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import NexaTestSupport
    import TestKit
    import Testing

    extension ClientTests {
        @Suite struct Transactions {
            struct Account: NexaModel, Equatable {
                var _id: String
                var balance: Int
                enum Fields { static let balance = Field<Int>("balance") }
            }

            struct Refused: Error {}

            @Test func moneyIsMovedOrNot() async throws {
                try await LiveServer.run { client in
                    let accounts = client.database().collection("accounts", of: Account.self)
                    try await accounts.insert(Account(_id: "ada", balance: 100))
                    try await accounts.insert(Account(_id: "bob", balance: 0))
                    let left = try await client.withTransaction { transaction in
                        let mine = transaction.collection("accounts", of: Account.self)
                        try await mine.update("ada", set: ["balance": 70])
                        try await mine.update("bob", set: ["balance": 30])
                        #expect(try await accounts["ada"]?.balance == 100, "nobody sees it yet")
                        #expect(try await mine["ada"]?.balance == 70)
                        let rich = try await mine.find(where: { $0.balance >= 50 }).collect()
                        #expect(rich.map(\.balance) == [70])
                        #expect(try await mine.count() == 2)
                        return try await mine["ada"]?.balance
                    }
                    #expect(left == 70)
                    #expect(try await accounts["ada"]?.balance == 70)
                    #expect(try await accounts["bob"]?.balance == 30)
                    await #expect(throws: Refused.self) {
                        try await client.withTransaction { transaction in
                            try await transaction.collection("accounts").update("ada", set: ["balance": 0])
                            throw Refused()
                        }
                    }
                    #expect(try await accounts["ada"]?.balance == 70)
                    // The connections go on being used, by others and outside of transactions.
                    try await accounts.update("ada", set: ["balance": 71])
                    #expect(try await accounts["ada"]?.balance == 71)
                }
            }

            /// The beginning goes with the first call, when there is one.
            @Test func transactionsOfNothingLeaveNothingBehind() async throws {
                try await LiveServer.run { client in
                    let accounts = client.database().collection("accounts", of: Account.self)
                    for _ in 0..<3 {
                        #expect(try await client.withTransaction { _ in 7 } == 7)
                        await #expect(throws: Refused.self) {
                            try await client.withTransaction { _ in throw Refused() }
                        }
                    }
                    try await accounts.insert(Account(_id: "ada", balance: 1))
                    // Outside of every transaction: others see it at once.
                    #expect(try await accounts["ada"]?.balance == 1)
                    // Both calls at once, neither of them first.
                    try await client.withTransaction { transaction in
                        let mine = transaction.collection("accounts", of: Account.self)
                        async let one = mine.update("ada", set: ["balance": 2])
                        async let two = mine.insert(Account(_id: "bob", balance: 3))
                        _ = try await (one, two)
                        #expect(try await accounts["bob"] == nil)
                    }
                    #expect(try await accounts.count() == 2)
                }
            }

            @Test func conflictsAreTriedAgainUntilNothingIsLost() async throws {
                try await LiveServer.run { client in
                    let accounts = client.database().collection("accounts", of: Account.self)
                    for name in ["a", "b", "c"] { try await accounts.insert(Account(_id: name, balance: 1000)) }
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for worker in 0..<6 as Range<UInt64> {
                            group.addTask {
                                var random = SplitMix64(seed: worker)
                                for _ in 0..<15 {
                                    let pair = ["a", "b", "c"].shuffled(using: &random)
                                    try await client.withTransaction(.init(maximumAttempts: 1000)) { transaction in
                                        let mine = transaction.collection("accounts", of: Account.self)
                                        let from = DocumentID(pair[0])
                                        let to = DocumentID(pair[1])
                                        guard let source = try await mine[from], let target = try await mine[to] else {
                                            throw Refused()
                                        }
                                        try await mine.update(from, set: ["balance": .int(Int64(source.balance - 1))])
                                        try await mine.update(to, set: ["balance": .int(Int64(target.balance + 1))])
                                    }
                                }
                            }
                        }
                        group.addTask {
                            // Whoever looks at all of them in one moment always sees the whole sum.
                            for _ in 0..<30 {
                                let sum = try await client.withTransaction { transaction in
                                    try await transaction.collection("accounts", of: Account.self).find().collect()
                                        .reduce(0) { $0 + $1.balance }
                                }
                                #expect(sum == 3000)
                            }
                        }
                        try await group.waitForAll()
                    }
                    #expect(try await accounts.find().collect().reduce(0) { $0 + $1.balance } == 3000)
                }
            }

            @Test func aTransactionThatTakesTooLongIsAborted() async throws {
                try await LiveServer.run { client in
                    let things = client.database().collection("things")
                    let error = await #expect(throws: NexaError.self) {
                        try await client.withTransaction(.init(timeout: .milliseconds(20))) { transaction in
                            let mine = transaction.collection("things")
                            for _ in 0..<1_000_000 { try await mine.insert(["n": 1]) }
                        }
                    }
                    // The pipe may run into the limit on what a transaction writes first, on a very fast machine.
                    #expect(error?.code == .noTransaction || error?.code == .limitExceeded)
                    let count = try await things.count()
                    #expect(count == 0)
                }
            }

            @Test func aCancelledTransactionLeavesNothingBehind() async throws {
                try await LiveServer.run { client in
                    let things = client.database().collection("things")
                    let written = Counter()
                    let task = Task {
                        try await client.withTransaction { transaction in
                            try await transaction.collection("things").insert(["_id": "x"])
                            _ = written.next()
                            while true { try await Task.sleep(for: .seconds(1)) }
                        }
                    }
                    while written.value == 0 { await Task.yield() }
                    task.cancel()
                    await #expect(throws: CancellationError.self) { try await task.value }
                    #expect(try await things["x"] == nil)
                    // No connection is left in a transaction.
                    for _ in 0..<20 { try await things.insert(["n": 1]) }
                    #expect(try await things.count() == 20)
                }
            }

            @Test func aClosedConnectionEndsItsTransaction() async throws {
                try await LiveServer.run { client in
                    let other = NexaClient(client.configuration)
                    let things = client.database().collection("things")
                    try? await other.withTransaction { transaction in
                        try await transaction.collection("things").insert(["_id": "x"])
                        await other.shutdown(drainingFor: .zero)
                    }
                    #expect(try await things["x"] == nil)
                    try await things.insert(["_id": "x", "n": 2])
                    #expect(try await things["x"]?["n"] == 2)
                }
            }

            @Test func whatIsNoPartOfATransactionIsRefused() async throws {
                try await LiveServer.run { client in
                    try await client.withTransaction { transaction in
                        let things = transaction.collection("things")
                        try await things.insert(["_id": "x"])
                        let error = await failure { () throws(NexaError) in try await things.drop() }
                        #expect(error?.code == .invalidRequest)
                        // The transaction goes on.
                        #expect(try await things["x"] != nil)
                    }
                    #expect(try await client.database().collection("things")["x"] != nil)
                }
            }

            @Test func aServerWithoutTransactionsIsNotAskedForOne() async throws {
                try await withScript({ peer in
                    try await peer.login(capabilities: [])
                    while true {
                        _ = try await peer.receive()
                        Issue.record("something was sent")
                    }
                }) { client, _ in
                    let error = await #expect(throws: NexaError.self) { try await client.withTransaction { _ in } }
                    #expect(error?.code == .unsupported)
                }
            }
        }
    }
#endif
