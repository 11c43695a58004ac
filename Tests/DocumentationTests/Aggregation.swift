import NexaClient
import NexaTestSupport
import Testing

@Suite struct AggregationArticle {
    struct Town: NexaModel {
        var _id: String
        var people: Int
    }

    @Test func aggregation() async throws {
        try await withServer { client, _ in
            let users = client.database().collection("users")
            for (city, age) in [("Athens", 30), ("Athens", 40), ("Bonn", 50), ("Bonn", 10)] {
                try await users.insert(["city": .string(city), "age": .int(Int64(age))])
            }
            // snippet: stages
            let towns = users.aggregate {
                Stage.match(Field<Int>("age") >= 18)
                Stage.group(by: "city", ["people": .count, "oldest": .max("age")])
                Stage.sort(Sort("people", .descending))
            }
            for try await town in towns {
                print(town["_id"] ?? .null, town["people"] ?? .null)
            }
            // end
            // snippet: model
            let largest = try await towns.of(Town.self).first()
            // end
            #expect(largest?._id == "Athens" && largest?.people == 2)
            // snippet: expressions
            let values = users.aggregate {
                Stage.set(["decade": ["$multiply": [["$floor": ["$divide": ["$age", 10]]], 10]]])
                Stage.raw(["$bucket": ["groupBy": "$age", "boundaries": [0, 18, 65], "default": "older"]])
            }
            // end
            #expect(try await values.collect().count == 2)
            // snippet: distinct
            let cities = try await users.distinct("city", ["age": ["$gte": 18]])
            // end
            #expect(cities == ["Athens", "Bonn"])
        }
    }
}
