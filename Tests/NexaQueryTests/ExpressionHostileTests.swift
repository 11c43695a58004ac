import NexaQuery
import NexaValue
import TestKit
import Testing

/// Expressions that are made to harm, and properties that hold for all.
@Suite struct ExpressionHostileTests {
    /// Whether a limit ends an evaluation; lower ones than the server's keep the tests short.
    private func limit(
        _ expression: Value, on document: Document = [:],
        _ limits: ExpressionContext.Limits = .init(maximumWork: 1_000_000, maximumBytes: 16 << 20)
    ) -> Bool {
        QueryError.of {
            var context = testContext
            context.limits = limits
            _ = try Expression(compiling: expression).evaluate(document, &context)
        }?.code == .limitExceeded
    }

    @Test func deepExpressionsAreRefused() {
        for wrap: (Value) -> Value in [
            { ["$abs": $0] }, { [$0] }, { ["a": $0] }, { ["$cond": [true, $0, 1]] }, { ["$literal": $0] },
            { ["$let": ["vars": ["x": 1], "in": $0]] }, { ["$map": ["input": [1], "in": $0]] }
        ] {
            var expression: Value = 1
            for _ in 0..<400 { expression = wrap(expression) }
            if case .document(let document) = expression, document["$literal"] != nil {
                #expect(QueryError.of { _ = try Expression(compiling: expression) }?.code == .limitExceeded)
            } else {
                #expect(limit(expression))
            }
        }
    }

    @Test func expressionsNestDeeply() throws {
        var expression: Value = "$a"
        for _ in 0..<48 { expression = ["$add": [expression, 1]] }
        #expect(try evaluate(expression, on: ["a": 1]) == 49)
        var list: Value = 1
        for _ in 0..<99 { list = [list] }
        #expect(try evaluate(list) == list)
        #expect(try evaluate(["$eq": ["$a", "$b"]], on: ["a": list, "b": list]) == true)
    }

    @Test func largeExpressionsAreRefused() {
        #expect(limit(.array((0...10_000).map { _ in "$a" })))
        #expect(limit(["$in": [1, .array((0...100_000).map { .int($0) })]]))
        #expect(limit(["$or": .array((0...100).map { _ in ["$regexMatch": ["input": "$a", "regex": "x"]] })]))
        #expect(limit(.string("$" + (0...100).map { _ in "a" }.joined(separator: "."))))
    }

    @Test func doublingEnds() {
        var doubled: Value = "$$x"
        for _ in 0..<40 { doubled = ["$let": ["vars": ["x": ["$concatArrays": ["$$x", "$$x"]]], "in": doubled]] }
        #expect(limit(["$let": ["vars": ["x": [1]], "in": doubled]]))
        // Shared in memory, but not in the reply.
        var nested: Value = "$$x"
        for _ in 0..<40 { nested = ["$let": ["vars": ["x": ["$$x", "$$x"]], "in": nested]] }
        #expect(limit(["$let": ["vars": ["x": 1], "in": nested]]))
        #expect(limit(["$let": ["vars": ["x": 1], "in": nested]], .standard))
        var merged: Value = "$$x"
        for _ in 0..<40 { merged = ["$let": ["vars": ["x": ["a": "$$x", "b": "$$x"]], "in": merged]] }
        #expect(limit(["$let": ["vars": ["x": 1], "in": merged]]))
        let text: Value = ["$concat": ["$$value", "$$value"]]
        #expect(limit(["$reduce": ["input": ["$range": [0, 60]], "initialValue": "x", "in": text]]))
        let replaced: Value = ["$replaceAll": ["input": "$$value", "find": "", "replacement": "$$value"]]
        #expect(limit(["$reduce": ["input": ["$range": [0, 60]], "initialValue": "xy", "in": replaced]]))
    }

    @Test func nestingByReductionEnds() {
        #expect(limit(["$reduce": ["input": ["$range": [0, 100_000]], "initialValue": 1, "in": ["$$value"]]]))
        let object: Value = ["$reduce": ["input": ["$range": [0, 100_000]], "initialValue": 1, "in": ["a": "$$value"]]]
        #expect(limit(object))
        let set: Value = ["$setField": ["field": "a", "input": [:], "value": "$$value"]]
        #expect(limit(["$reduce": ["input": ["$range": [0, 100_000]], "initialValue": 1, "in": set]]))
        let zipped: Value = ["$zip": ["inputs": [["$$value"]]]]
        #expect(limit(["$reduce": ["input": ["$range": [0, 100_000]], "initialValue": [1], "in": zipped]]))
    }

    @Test func longLoopsEnd() {
        let range: Value = ["$range": [0, 100_000]]
        #expect(limit(["$map": ["input": range, "in": ["$sum": range]]]))
        #expect(limit(["$range": [0, 2_000_000_000]]))
        #expect(
            limit(
                ["$map": ["input": ["$range": [0, 5000]], "in": ["$in": ["$$this", ["$range": [5000, 10_000]]]]]],
                .standard))
        #expect(
            limit(
                ["$concatArrays": .array((0..<200).map { _ in "$a" })],
                on: ["a": .array((0..<100_000).map { .int($0) })]))
        #expect(
            limit(
                ["$zip": ["inputs": .array((0..<5000).map { _ in "$a" })]],
                on: ["a": .array((0..<5000).map { .int($0) })]))
        let many: Value = [
            "$reduce": ["input": range, "initialValue": [], "in": ["$concatArrays": ["$$value", ["$$this"]]]]
        ]
        #expect(limit(many))
        #expect(limit(["$map": ["input": range, "in": ["$setUnion": [range, range]]]]))
        #expect(limit(["$map": ["input": range, "in": ["$sortArray": ["input": range, "sortBy": 1]]]]))
    }

    @Test func hostilePatternsEnd() {
        let text = Value.string(String(repeating: "a", count: 40) + "!")
        #expect(limit(["$regexMatch": ["input": text, "regex": "(a+)+$"]]))
        #expect(
            limit([
                "$map": [
                    "input": ["$range": [0, 100_000]],
                    "in": ["$regexMatch": ["input": "a", "regex": ["$concat": ["a", ["$toString": "$$this"]]]]]
                ]
            ]))
        #expect(limit(["$regexFindAll": ["input": .string(String(repeating: "a", count: 3_000_000)), "regex": ""]]))
    }

    @Test func longSearchesTakeLinearTime() throws {
        let text = Value.string(String(repeating: "a", count: 400_000))
        let part = Value.string(String(repeating: "a", count: 200_000) + "b")
        #expect(try evaluate(["$indexOfBytes": [text, part]]) == -1)
        #expect(try evaluate(["$size": ["$split": [text, part]]]) == 1)
        #expect(try evaluate(["$replaceAll": ["input": text, "find": part, "replacement": ""]]) == text)
    }

    @Test func damagedDocumentsAreNamed() throws {
        let expression = try Expression(compiling: ["$add": ["$a", "$b.c"]])
        var context = testContext
        let good = MessagePack.encode(["x": "text", "a": 1, "b": ["c": 2]] as Document)
        #expect(try expression.evaluate(encoded: good.span.bytes, &context) == 3)
        var random = SplitMix64(seed: 41)
        for count in 0..<good.count {
            _ = QueryError.of { _ = try expression.evaluate(encoded: Array(good[..<count]).span.bytes, &context) }
        }
        for _ in 0..<5000 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = QueryError.of { _ = try expression.evaluate(encoded: bytes.span.bytes, &context) }
        }
        #expect(
            QueryError.of { _ = try expression.evaluate(encoded: [0x81, 0xA1, 0x61].span.bytes, &context) }?.code
                == .corruptDocument)
    }

    /// Every operator gets values of every kind: it answers or says why not, the same for both forms of the document.
    @Test func operatorsTakeAnything() throws {
        let operators = [
            "$add", "$subtract", "$multiply", "$divide", "$mod", "$abs", "$ceil", "$floor", "$round", "$trunc", "$pow",
            "$sqrt",
            "$exp", "$ln", "$log", "$log10", "$eq", "$cmp", "$and", "$or", "$not", "$cond", "$ifNull", "$concat",
            "$toLower",
            "$toUpper", "$substrCP", "$substrBytes", "$substr", "$strLenCP", "$strLenBytes", "$split", "$indexOfCP",
            "$indexOfBytes", "$strcasecmp", "$type", "$isNumber", "$toInt", "$toLong", "$toDouble", "$toBool",
            "$toDate",
            "$toString", "$year", "$week", "$isoWeekYear", "$size", "$arrayElemAt", "$first", "$last", "$slice", "$in",
            "$concatArrays", "$reverseArray", "$range", "$indexOfArray", "$isArray", "$arrayToObject", "$objectToArray",
            "$setUnion", "$setIntersection", "$setDifference", "$setEquals", "$setIsSubset", "$anyElementTrue",
            "$allElementsTrue", "$sum", "$avg", "$min", "$max", "$stdDevPop", "$stdDevSamp", "$mergeObjects",
            "$getField"
        ]
        let named: [(String, [String])] = [
            ("$trim", ["input", "chars"]), ("$regexFindAll", ["input", "regex", "options"]),
            ("$replaceAll", ["input", "find", "replacement"]), ("$convert", ["input", "to", "onError", "onNull"]),
            ("$dateToString", ["date", "format", "timezone", "onNull"]),
            ("$dateFromString", ["dateString", "format", "timezone"]),
            ("$dateFromParts", ["year", "month", "day", "hour", "minute", "second", "millisecond"]),
            ("$dateToParts", ["date", "timezone", "iso8601"]), ("$dateAdd", ["startDate", "unit", "amount"]),
            ("$dateDiff", ["startDate", "endDate", "unit"]), ("$dateTrunc", ["date", "unit", "binSize"]),
            ("$zip", ["inputs", "useLongestLength", "defaults"]), ("$setField", ["field", "input", "value"]),
            ("$filter", ["input", "cond", "limit"]), ("$map", ["input", "in"]),
            ("$reduce", ["input", "initialValue", "in"])
        ]
        var values = RandomValues(seed: 43)
        func argument() -> Value {
            switch values.pick([0, 1, 2, 3, 4]) {
            case 0: return .string("$" + values.path())
            case 1: return ["$literal": values.value()]
            case 2: return values.pick(["day", "month", "%Y-%m", "int", "$$NOW", "date", "i"])
            default: return ["$literal": values.pick(RandomValues.scalars)]
            }
        }
        for _ in 0..<6000 {
            let document = values.document()
            let expression: Value
            if values.chance(70) {
                let count = values.pick([1, 1, 2, 2, 3, 4])
                expression = [values.pick(operators): .array((0..<count).map { _ in argument() })]
            } else {
                let (name, parameters) = values.pick(named)
                expression = [
                    name: .document(Document(parameters.filter { _ in values.chance(85) }.map { ($0, argument()) }))
                ]
            }
            do {
                _ = try evaluate(expression, on: document)
            } catch let error as QueryError {
                #expect(error.code != .corruptDocument && !error.message.isEmpty, "\(expression)")
            }
        }
    }

    @Test func arithmeticAgreesWithWiderIntegers() throws {
        var random = SplitMix64(seed: 47)
        for _ in 0..<2000 {
            let shift = Int64.random(in: 0..<63, using: &random)
            let left = Int64.random(in: .min ... .max, using: &random) >> shift
            let right = Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0..<63, using: &random)
            let operands: Value = [.int(left), .int(right)]
            func expected(_ exact: Int128) -> Value { Int64(exactly: exact).map { .int($0) } ?? .double(Double(exact)) }
            #expect(try evaluate(["$add": operands]) == expected(Int128(left) + Int128(right)), "\(operands)")
            #expect(
                try evaluate(["$subtract": operands])?.double == expected(Int128(left) - Int128(right)).double,
                "\(operands)")
            let product = try evaluate(["$multiply": operands])
            let exact = Int128(left) * Int128(right)
            if let whole = Int64(exactly: exact) {
                #expect(product == .int(whole))
            } else {
                #expect(product == .double(Double(left) * Double(right)))
            }
            if right != 0 {
                #expect(try evaluate(["$mod": operands]) == .int(Int64(Int128(left) % Int128(right))))
            }
        }
    }

    @Test func setsAgreeWithSetsOfSwift() throws {
        var random = SplitMix64(seed: 53)
        for _ in 0..<500 {
            let left = (0..<Int.random(in: 0...8, using: &random)).map { _ in Int64.random(in: 0...6, using: &random) }
            let right = (0..<Int.random(in: 0...8, using: &random)).map { _ in Int64.random(in: 0...6, using: &random) }
            let operands: Value = [.array(left.map { .int($0) }), .array(right.map { .int($0) })]
            func list(_ set: Set<Int64>) -> Value { .array(set.sorted().map { .int($0) }) }
            #expect(try evaluate(["$setUnion": operands]) == list(Set(left).union(right)))
            #expect(try evaluate(["$setIntersection": operands]) == list(Set(left).intersection(right)))
            #expect(
                try evaluate(["$sortArray": ["input": ["$setDifference": operands], "sortBy": 1]])
                    == list(Set(left).subtracting(right)))
            #expect(try evaluate(["$setIsSubset": operands]) == .bool(Set(left).isSubset(of: right)))
            #expect(try evaluate(["$setEquals": operands]) == .bool(Set(left) == Set(right)))
            #expect(try evaluate(["$sortArray": ["input": operands, "sortBy": -1]])?.array?.count == 2)
        }
    }
}
