import NexaEngine
import NexaQuery
import NexaValue
import TestKit
import Testing

/// The same queries give the same results, whatever indexes there are.
@Suite struct IndexQueryTests {
    struct Question {
        var filter: Document
        var sort: Value
        var skip = 0
        var limit = 0
    }

    @Test(arguments: [1, 2, 4_495_367_837_739_130_635, UInt64.random(in: 0 ... .max)], [0, 25])
    func indexesChangeNoResult(seed: UInt64, arrays: Int) async throws {
        var workload = IndexWorkload(seed: seed)
        let fixture = try Fixture()
        let engine = fixture.engine
        for id in 0..<300 {
            let document = workload.document(id: id, arrays: arrays)
            try await engine.insert(document, collection: "c", durability: .os)
        }
        let questions = (0..<120).map { _ in
            Question(filter: workload.filter(), sort: workload.chance(40) ? workload.sort() : .null)
        }
        let expected = try questions.map { question in
            try Answer(engine, question, page: nil, hint: nil)
        }
        var definitions: [IndexDefinition] = []
        var attempts = 0
        while attempts < 8 || definitions.count < 4 && attempts < 100 {
            attempts += 1
            let definition = workload.index()
            // Refused are names and fields that another index has, and parallel arrays: with many arrays, most.
            guard let status = try? await engine.makeIndex(definition), status.state == .ready else { continue }
            definitions.append(definition)
        }
        try #require(definitions.count > 2, "seed \(seed)")
        #expect(try engine.checkIndexes(database: "default", collection: "c") == [])
        var used = 0
        for (question, expected) in zip(questions, expected) {
            for hint in [nil, workload.pick(definitions).name] {
                for page in [nil, 5] {
                    let answer: Answer
                    do {
                        answer = try Answer(engine, question, page: page, hint: hint)
                    } catch {
                        // A partial index cannot serve every filter.
                        if hint == nil { throw error }
                        continue
                    }
                    used += answer.keysExamined > 0 ? 1 : 0
                    let isSame =
                        answer.ids == expected.ids && answer.order == expected.order
                        && answer.count == expected.count
                    if !isSame {
                        Issue.record(
                            """
                            \(question.filter) sort \(question.sort) hint \(hint ?? "none") page \(page ?? 0), \
                            indexes \(definitions), seed \(seed), arrays \(arrays): \
                            \(answer.ids.count) documents and count \(answer.count), expected \(expected.ids.count)
                            """)
                    }
                }
            }
        }
        #expect(used > 50, "seed \(seed)")
    }

    struct Answer {
        /// Sorted, so that the order of an unsorted result does not matter; a document that comes twice is seen.
        var ids: [Int64]
        var order: [SortKey]
        var count: Int
        var keysExamined = 0

        init(_ engine: Engine, _ question: Question, page: Int?, hint: String?) throws {
            let documents = try engine.find(question.filter) { options in
                options.sort = question.sort
                options.hint = hint
                if let page { options.page = .init(documents: page, bytes: 1 << 20) }
            }
            ids = documents.compactMap { $0["_id"]?.int }.sorted()
            order = []
            if !question.sort.isNull {
                let sort = try SortOrder(compiling: question.sort)
                order = try documents.map { try sort.key(of: MessagePack.encode($0).span.bytes) }
            }
            var options = QueryOptions()
            options.isCountOnly = true
            options.hint = hint
            let execution = try engine.query(
                database: "default", collection: "c", filter: question.filter, options: options)
            while try execution.step(budget: 1000) == .more {}
            count = execution.count
            keysExamined = execution.keysExamined
        }
    }
}
