import NexaClient
import NexaTestSupport
import Testing

@Suite struct TransactionsArticle {
    struct Account: NexaModel {
        var _id: String
        var balance: Int
    }

    struct Refused: Error {}

    @Test func transactions() async throws {
        try await withServer { client, _ in
            let accounts = client.database().collection("accounts", of: Account.self)
            try await accounts.insert(Account(_id: "ada", balance: 30))
            try await accounts.insert(Account(_id: "bob", balance: 0))
            // snippet: transfer
            try await client.withTransaction { transaction in
                let accounts = transaction.collection("accounts", of: Account.self)
                guard let from = try await accounts["ada"], let to = try await accounts["bob"], from.balance >= 10
                else {
                    throw Refused()
                }
                try await accounts.update("ada", set: ["balance": .int(Int64(from.balance - 10))])
                try await accounts.update("bob", set: ["balance": .int(Int64(to.balance + 10))])
            }
            // end
            // snippet: options
            let options = TransactionOptions(durability: .sync, timeout: .seconds(5), maximumAttempts: 5)
            let total = try await client.withTransaction(options) { transaction in
                try await transaction.collection("accounts", of: Account.self).find().collect().reduce(0) {
                    $0 + $1.balance
                }
            }
            // end
            #expect(total == 30)
            #expect(try await accounts["bob"]?.balance == 10)
        }
    }
}
