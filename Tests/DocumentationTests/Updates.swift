import NexaClient
import Testing

@Suite struct Updates {
    struct Page: NexaModel, Equatable {
        var _id: DocumentID
        var visits: Int
        var tags: [String]

        enum Fields {
            static let visits = Field<Int>("visits")
            static let tags = Field<String>("tags")
        }
    }

    @Test func updates() async throws {
        try await withServer { client, _ in
            let pages = client.database().collection("pages", of: Page.self)
            try await pages.insert(
                contentsOf: ["/", "/about", "/news", "/old"].map { Page(_id: DocumentID($0), visits: 0, tags: []) })
            let ada = "ada"

            // snippet: one
            try await pages.update(
                "/news",
                .inc(Page.Fields.visits, 1)
                    .addToSet("tags", "read")
                    .push("readers", contentsOf: [ada], slice: -100)
                    .currentDate("seen"))
            // end
            #expect(try await pages["/news"] == Page(_id: "/news", visits: 1, tags: ["read"]))

            // snippet: literal
            let update: Update = [
                "$max": ["visits": 10],
                "$pull": ["tags": ["$in": ["draft", "read"]]],
                "$unset": ["seen": ""]
            ]
            try await pages.update("/news", update)
            // end
            #expect(try await pages["/news"] == Page(_id: "/news", visits: 10, tags: []))

            // snippet: many
            let result = try await pages.updateMany(Page.Fields.visits < 5, .set("tags.0", "quiet"))
            print(result.matched, "found,", result.modified, "changed")

            let gone = try await pages.deleteMany(["_id": ["$regex": "^/old"]])
            // end
            #expect(result == UpdateResult(matched: 3, modified: 3) && gone == 1)

            // snippet: upsert
            let day = try await client.database()["days"].updateOne(
                ["_id": "2026-11-21", "site": "docs"],
                .inc("visits", 1).setOnInsert("goal", 500),
                upsert: true)
            print(day.upsertedID ?? "it was there")
            // end
            #expect(day.upsertedID == "2026-11-21")

            let documents = client.database()["documents"]
            try await documents.insert([
                "_id": "report", "lines": [["text": "a", "done": false], ["text": "b", "done": false]]
            ])
            // snippet: positions
            // The element that the filter matched.
            try await documents.updateOne(["lines.text": "b"], .set("lines.$.done", true))
            // All elements, and those that an array filter means.
            try await documents.updateMany(
                .all, .inc("lines.$[].seen", 1).unset("lines.$[open].owner").arrayFilter(["open.done": false]))
            // end
            #expect(try await documents["report"]?[path: "lines.1"] == ["text": "b", "done": true, "seen": 1])

            let jobs = client.database()["jobs"]
            try await jobs.insert(contentsOf: [["state": "new", "priority": 2], ["state": "new", "priority": 9]])
            // snippet: find
            let job = try await jobs.findOneAndUpdate(
                ["state": "new"], .set("state", "running").inc("attempts", 1),
                sort: [Sort("priority", .descending)], returning: .after)
            // end
            #expect(job?["priority"] == 9 && job?["state"] == "running" && job?["attempts"] == 1)

            // snippet: bulk
            let outcome = try await pages.bulk(ordered: false) { bulk in
                bulk.insert(Page(_id: "/help", visits: 0, tags: []))
                bulk.update("/", .inc("visits", 3))
                bulk.replace("/about", with: Page(_id: "/about", visits: 0, tags: ["new"]))
                bulk.deleteMany(["tags": "draft"])
            }
            if let error = outcome.firstError { print(error.message) }
            // end
            #expect(outcome.succeeded == 4)

            // snippet: atomic
            try await pages.bulk(atomic: true) { bulk in
                bulk.update("/", .inc("visits", -1))
                bulk.update("/about", .inc("visits", 1))
            }
            // end
            #expect(try await pages["/about"]?.visits == 1)
        }
    }
}
