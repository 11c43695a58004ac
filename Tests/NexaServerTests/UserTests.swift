import NexaEngine
import NexaProtocol
import NexaValue
import Synchronization
import TestKit
import Testing

@testable import NexaServer

/// The messages on users, as clients of 3.0 and of this version see them.
@Suite struct UserTests {
    @Test func repliesAreThoseOf3_0() async throws {
        try await Running.with { server in
            let root = try server.peer().logIn(capabilities: [])
            let made = try root.ask(.createUser(.init(username: "ann", password: "one", role: "write")))
            #expect(made.fields["message"] == "User 'ann' created successfully")
            #expect(made.fields["username"] == "ann" && made.fields["role"] == "write")
            #expect(made.fields["password"] == nil, "the one who sent it knows it")
            #expect(made.fields["api_key"]?.string?.hasPrefix("nxdb_") == true)
            let list = try root.ask(.listUsers).fields
            #expect(list["count"] == 2)
            let ann = try #require(list["users"]?.document?["ann"]?.document)
            #expect(ann["role"] == "write" && ann["database_permissions"] == [:])
            #expect(
                ann["api_key_prefix"]?.string?.count == 18 && ann["api_key_prefix"]?.string?.hasSuffix("...") == true)
            #expect(ann["created_at"]?.double ?? 0 > 1.7e9)
            #expect(ann["last_login"] == .null && ann["password_changed_at"] == .null)
            let changed = try root.ask(.changePassword(.init(username: "ann", newPassword: "two")))
            #expect(changed.fields["message"] == "Password changed successfully for user 'ann'")
            try server.peer().logIn(username: "ann", password: "two")
            let deleted = try root.ask(.deleteUser("ann"))
            #expect(deleted.fields["message"] == "User 'ann' deleted successfully")
        }
    }

    @Test func errorsAreThoseOf3_0() async throws {
        try await Running.with { server in
            let root = try server.peer().logIn(capabilities: [])
            func error(_ type: UInt8, _ fields: Document) throws -> String? {
                try root.send(Peer.frame(type: type, payload: encoded(fields)))
                let reply = try #require(try root.receive())
                return reply.type == .error ? reply.fields["error"]?.string : nil
            }
            #expect(try error(0x0E, ["username": "ann"]) == "Missing 'username' or 'password' field")
            #expect(
                try error(0x0E, ["username": "ann", "password": "x", "role": "king"])
                    == "Invalid role. Must be one of: admin, write, read, guest")
            #expect(try error(0x0E, ["username": "root", "password": "x"]) == "User 'root' already exists")
            #expect(try error(0x0F, [:]) == "Missing 'username' field")
            #expect(try error(0x0F, ["username": "root"]) == "Cannot delete root user")
            #expect(try error(0x0F, ["username": "bob"]) == "User 'bob' not found")
            #expect(try error(0x11, ["username": "bob"]) == "Missing 'username' or 'new_password' field")
            #expect(try error(0x11, ["username": "bob", "new_password": "x"]) == "User 'bob' not found")
            #expect(
                try error(0x74, ["username": "root", "role": "read"])?.hasPrefix("Cannot change the role of root")
                    == true)
            #expect(try error(0x75, ["action": "steal"])?.hasPrefix("Unknown action 'steal'") == true)
            try server.engine.createUser("ann", password: "one", role: .read)
            let ann = try server.peer().logIn(username: "ann", password: "one")
            for (request, message) in [
                (
                    Request.createUser(.init(username: "x", password: "x")),
                    "Permission denied. Only admins can create users."
                ),
                (.deleteUser("root"), "Permission denied. Only admins can delete users."),
                (.listUsers, "Permission denied. Only admins can list users."),
                (
                    .changePassword(.init(username: "root", newPassword: "x")),
                    "Permission denied. You can only change your own password."
                )
            ] {
                #expect(try ann.ask(request).fields["error"]?.string == message)
            }
        }
    }

    @Test func aDeletedUserIsOut() async throws {
        try await Running.with { server in
            let root = try server.peer().logIn()
            try server.engine.createUser("ann", password: "one", role: .write)
            let idle = try server.peer().logIn(username: "ann", password: "one")
            let subscriber = try server.peer().logIn(username: "ann", password: "one")
            try subscriber.ask(.subscribe(.init()))
            try root.ask(.deleteUser("ann"))
            #expect(try idle.receive() == nil, "without a word")
            #expect(try subscriber.receive() == nil)
            #expect(try root.ask(.ping).type == .pong)
        }
    }

    /// Whatever reaches the server behind the change is not carried out, on whichever reactor it arrives.
    @Test func nothingIsDoneBehindTheDeletion() async throws {
        try await Running.with({ $0.reactors = 3 }) { server in
            let root = try server.peer().logIn()
            for round in 0..<20 {
                try server.engine.createUser("ann", password: "one", role: .write)
                let ann = try server.peer().logIn(username: "ann", password: "one")
                try root.ask(.deleteUser("ann"))
                let document = encoded(["_id": .int(Int64(round))])
                // The connection may be closed already.
                try? ann.send(.insert(.init(namespace: .films, document: document)))
                if let reply = try? ann.receive() { #expect(reply.fields["code"] == "not-authenticated") }
            }
            #expect(try root.ask(.query(.init(namespace: .films))).fields["count"] == 0)
        }
    }

    @Test func aDemotionCountsForTheNextMessage() async throws {
        try await Running.with({ $0.reactors = 3 }) { server in
            let root = try server.peer().logIn()
            try server.engine.createUser("ann", password: "one", role: .write)
            let ann = try server.peer().logIn(username: "ann", password: "one")
            let insert = Request.insert(.init(namespace: .films, document: encoded(["a": 1])))
            for (update, may) in [
                (Request.UpdateUser(username: "ann", role: "read"), false),
                (.init(username: "ann", role: "write"), true),
                (.init(username: "ann", grant: ["shop": "write"]), false),
                (.init(username: "ann", grant: ["default": "write"]), true),
                (.init(username: "ann", grant: ["default": "guest"]), false),
                (.init(username: "ann", grants: .null), true), (.init(username: "ann", revoke: ["shop"]), false),
                (.init(username: "ann", grants: ["default": "admin"]), true)
            ] {
                let reply = try root.ask(.updateUser(update))
                #expect(reply.type == .success, "\(reply.fields)")
                #expect((try ann.ask(insert).type == .success) == may, "\(update)")
            }
        }
    }

    @Test func aSubscriptionEndsWithTheRightToIt() async throws {
        try await Running.with { server in
            let root = try server.peer().logIn()
            try server.engine.createUser("ann", password: "one", role: .write)
            let one = try server.peer().logIn(username: "ann", password: "one")
            try one.ask(.subscribe(.init(database: "shop")))
            let all = try server.peer().logIn(username: "ann", password: "one")
            try all.ask(.subscribe(.init()))
            try root.ask(.updateUser(.init(username: "ann", grants: ["default": "read"])))
            #expect(try one.receive() == nil, "it is idle, and ends all the same")
            try root.ask(.insert(.init(namespace: .films, document: encoded(["a": 1]))))
            #expect(try all.receive()?.type == .changeEvent, "what may still be read goes on")
            try root.ask(.updateUser(.init(username: "ann", grants: [:])))
            #expect(try all.receive() == nil)
        }
    }

    @Test func aTransactionDoesNotOutliveThePermission() async throws {
        try await Running.with { server in
            let root = try server.peer().logIn()
            try server.engine.createUser("ann", password: "one", role: .write)
            let ann = try server.peer().logIn(username: "ann", password: "one")
            try ann.ask(.beginTransaction(.init()))
            try ann.ask(.insert(.init(namespace: .films, document: encoded(["a": 1]))))
            try root.ask(.updateUser(.init(username: "ann", role: "read")))
            #expect(try ann.ask(.commitTransaction(.init())).type == .error)
            #expect(try root.ask(.query(.init(namespace: .films))).fields["count"] == 0)
        }
    }

    @Test func anotherPasswordEndsTheOtherSessions() async throws {
        try await Running.with { server in
            try server.engine.createUser("ann", password: "one", role: .write)
            let mine = try server.peer().logIn(username: "ann", password: "one")
            let other = try server.peer().logIn(username: "ann", password: "one")
            let key = try server.engine.makeAPIKey(for: "ann")
            let byKey = try server.peer().logIn(username: "ann", password: key.key)
            #expect(try mine.ask(.changePassword(.init(username: "ann", newPassword: "two"))).type == .success)
            #expect(try mine.ask(.ping).type == .pong, "who changed it stays")
            #expect(try other.receive() == nil)
            #expect(try byKey.ask(.ping).type == .pong, "a key does not depend on the password")
            let refused = try byKey.ask(.changePassword(.init(username: "ann", newPassword: "three")))
            #expect(refused.fields["code"] == "permission-denied", "who found a key gets no further")
            #expect(try byKey.ask(.apiKeys(.init(action: .create(label: "")))).fields["code"] == "permission-denied")
            // A second change by the same session; the password is refused once, and nothing ends.
            #expect(
                try mine.ask(.changePassword(.init(username: "ann", newPassword: String(repeating: "x", count: 2000))))
                    .type == .error)
            #expect(try mine.ask(.changePassword(.init(username: "ann", newPassword: "three"))).type == .success)
            try server.peer().logIn(username: "ann", password: "three")
            #expect(throws: Peer.Gone.self) { try server.peer().logIn(username: "ann", password: "one") }
        }
    }

    @Test func aRevokedKeyEndsItsSessions() async throws {
        try await Running.with { server in
            try server.engine.createUser("ann", password: "one", role: .guest)
            let ann = try server.peer().logIn(username: "ann", password: "one")
            let made = try ann.ask(.apiKeys(.init(action: .create(label: "report")))).fields
            let key = try #require(made["api_key"]?.string)
            let byKey = try server.peer().logIn(username: "ann", password: key)
            let listed = try byKey.ask(.apiKeys(.init(action: .list))).fields
            #expect(listed["count"] == 1)
            let entry = try #require(listed["api_keys"]?.array?.first?.document)
            #expect(entry["label"] == "report" && entry["prefix"]?.string == String(key.prefix(15)))
            #expect(entry["last_used"]?.double != nil)
            #expect(try ann.ask(.apiKeys(.init(action: .revoke(prefix: String(key.prefix(15)))))).type == .success)
            #expect(try byKey.receive() == nil)
            #expect(try ann.ask(.ping).type == .pong)
            #expect(throws: Peer.Gone.self) { try server.peer().logIn(username: "ann", password: key) }
        }
    }

    @Test func everySecurityEventHasALine() async throws {
        let lines = Mutex([String]())
        try await Running.with({ configuration in
            configuration.log = ServerLog { _, line in lines.withLock { $0.append(line) } }
        }) { server in
            let root = try server.peer().logIn()
            #expect(throws: Peer.Gone.self) { try server.peer().logIn(password: "wrong") }
            try root.ask(.createUser(.init(username: "ann", password: "pass one", role: "read")))
            let ann = try server.peer().logIn(username: "ann", password: "pass one")
            try ann.ask(.dropCollection(.films))
            let made = try ann.ask(.apiKeys(.init(action: .create(label: "x")))).fields
            let key = try #require(made["api_key"]?.string)
            try server.peer().logIn(username: "ann", password: key)
            try ann.ask(.apiKeys(.init(action: .revoke(prefix: String(key.prefix(15))))))
            try root.ask(.updateUser(.init(username: "ann", grant: ["shop": "write"])))
            try root.ask(.changePassword(.init(username: "ann", newPassword: "pass two")))
            try root.ask(.insert(.init(namespace: .films, document: encoded(["a": 1]))))
            try root.ask(.dropCollection(.films))
            try root.ask(.createDatabase("shop"))
            try root.ask(.dropDatabase("shop", viaCollection: false))
            try root.ask(.deleteUser("ann"))
            // Whoever asks behind them sees the lines of what was done before.
            try root.ask(.ping)
        }
        let text = lines.withLock { $0 }.filter { $0.hasPrefix("audit ") }
        for event in [
            "event=login user=root", "event=login-failed user=root", "event=user-created user=root",
            "event=login user=ann", "event=permission-denied user=ann", "event=key-created user=ann", "key=nxdb_",
            "event=key-revoked user=ann", "event=user-changed user=root", "grants=shop=write",
            "event=password-changed user=root", "event=session-ended user=ann", "event=collection-dropped user=root",
            "event=database-dropped user=root", "event=user-deleted user=root"
        ] {
            #expect(text.contains { $0.contains(event) }, "\(event)")
        }
        #expect(!text.contains { $0.contains("pass one") || $0.contains("pass two") || $0.contains("wrong") })
    }

    @Test func refusalsDoNotFillTheLog() async throws {
        let count = Mutex(0)
        try await Running.with({ configuration in
            configuration.log = ServerLog { _, line in
                if line.contains("permission-denied") { count.withLock { $0 += 1 } }
            }
        }) { server in
            try server.engine.createUser("ann", password: "one", role: .guest)
            let ann = try server.peer().logIn(username: "ann", password: "one")
            for _ in 0..<1000 { try ann.ask(.listUsers) }
            #expect(count.withLock { $0 } == 103, "100, then number 128, 256 and 512")
        }
    }
}
